//! Unpacks the kernel inside an x86 bzImage. In: the bytes of the image. Out: the ELF
//! vmlinux. Every length is checked, and no payload may grow past [`MOST`] bytes.

use std::io::{self, Read};

/// Largest vmlinux that is unpacked, in bytes.
const MOST: u64 = 1 << 30;
/// Kernels unpack to four to eight times their size; what unpacks to more than this many
/// times is a bomb.
const MOST_RATIO: u64 = 100;

/// The kernel as found in a bzImage.
pub(super) struct Payload<'a> {
    /// Name of its compression.
    pub(super) format: &'static str,
    bytes: &'a [u8],
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let raw = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(raw.try_into().ok()?))
}

fn size(value: u32) -> Option<usize> {
    usize::try_from(value).ok()
}

/// Whether `image` has the magic numbers of an x86 bzImage (boot protocol, `HdrS`).
pub(super) fn is_bzimage(image: &[u8]) -> bool {
    image.get(0x1fe..0x200) == Some(&[0x55, 0xaa]) && image.get(0x202..0x206) == Some(b"HdrS")
}

/// Locates the payload of a bzImage (`payload_offset` and `payload_length` of the boot
/// protocol since 2.08); `None` when the image ends before its payload does.
pub(super) fn locate(image: &[u8]) -> Option<Payload<'_>> {
    // Zero set-up sectors mean four, for old boot loaders.
    let sectors = match usize::from(*image.get(0x1f1)?) {
        0 => 4,
        sectors => sectors,
    };
    let start = (sectors + 1) * 512 + size(word(image, 0x248)?)?;
    let length = size(word(image, 0x24c)?)?;
    let bytes = image.get(start..start.checked_add(length)?)?;
    let format = match bytes {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "xz",
        [0x1f, 0x8b, ..] => "gzip",
        [0x02, 0x21, 0x4c, 0x18, ..] => "lz4",
        [0x7f, b'E', b'L', b'F', ..] => "uncompressed",
        _ => "unknown",
    };
    Some(Payload { format, bytes })
}

impl Payload<'_> {
    /// The unpacked kernel.
    ///
    /// # Errors
    /// When the payload is damaged, too large, or compressed in a way that is not known.
    pub(super) fn unpack(&self) -> io::Result<Vec<u8>> {
        match self.format {
            "zstd" => {
                let stream = ruzstd::decoding::StreamingDecoder::new(self.bytes)
                    .map_err(io::Error::other)?;
                self.bounded(stream)
            }
            "xz" => self.bounded(lzma_rust2::XzReader::new(self.bytes, false)),
            "gzip" => self.bounded(flate2::read::GzDecoder::new(self.bytes)),
            "lz4" => legacy_lz4(self.bytes),
            "uncompressed" => Ok(self.bytes.to_vec()),
            _ => Err(io::Error::other(
                "its compression is none of zstd, xz, gzip and lz4",
            )),
        }
    }

    fn bounded(&self, stream: impl Read) -> io::Result<Vec<u8>> {
        let packed = u64::try_from(self.bytes.len()).unwrap_or(MOST);
        let most = packed.saturating_mul(MOST_RATIO).min(MOST);
        let mut unpacked = Vec::new();
        stream.take(most + 1).read_to_end(&mut unpacked)?;
        if u64::try_from(unpacked.len()).is_ok_and(|length| length <= most) {
            Ok(unpacked)
        } else {
            Err(io::Error::other(format!(
                "it unpacks to more than {MOST_RATIO} times its size or 1 GiB, which no kernel does"
            )))
        }
    }
}

/// The kernel uses lz4's legacy frames: blocks of 8 MiB, each with its packed length.
fn legacy_lz4(bytes: &[u8]) -> io::Result<Vec<u8>> {
    const BLOCK: usize = 8 << 20;
    let mut unpacked = Vec::new();
    let mut block = vec![0; BLOCK];
    let mut at = 4;
    while let Some(length) = word(bytes, at).and_then(size) {
        let Some(packed) = bytes.get(at + 4..(at + 4).saturating_add(length)) else {
            // The build appends the unpacked size, four bytes that are no block.
            break;
        };
        if length == 0 {
            break;
        }
        let filled =
            lz4_flex::block::decompress_into(packed, &mut block).map_err(io::Error::other)?;
        unpacked.extend_from_slice(block.get(..filled).unwrap_or_default());
        at += 4 + length;
    }
    // The build appends the size of the unpacked kernel to what it compressed.
    let expected = bytes
        .len()
        .checked_sub(4)
        .and_then(|at| word(bytes, at))
        .and_then(size);
    if expected == Some(unpacked.len()) {
        Ok(unpacked)
    } else {
        Err(io::Error::other(
            "its blocks do not add up to the size it names",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn bzimage(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[0x1f1] = 1;
        image[0x1fe] = 0x55;
        image[0x1ff] = 0xaa;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        let length = u32::try_from(payload.len()).unwrap_or(0);
        image[0x24c..0x250].copy_from_slice(&length.to_le_bytes());
        image.extend_from_slice(payload);
        image
    }

    #[test]
    fn a_gzip_payload_is_found_and_unpacked() -> io::Result<()> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"\x7fELF and more")?;
        let image = bzimage(&encoder.finish()?);
        assert!(is_bzimage(&image));
        let payload = locate(&image).ok_or(io::ErrorKind::NotFound)?;
        assert_eq!(payload.format, "gzip");
        assert_eq!(payload.unpack()?, b"\x7fELF and more");
        Ok(())
    }

    #[test]
    fn a_truncated_image_has_no_payload() {
        let image = bzimage(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0]);
        assert!(locate(&image[..image.len() - 1]).is_none());
        assert!(locate(&[]).is_none());
    }

    #[test]
    fn damaged_payloads_of_every_format_are_errors() {
        for magic in [
            &b"\x28\xb5\x2f\xfd\x04\x88"[..],
            b"\xfd7zXZ\0\0",
            b"\x1f\x8b\x08\0",
            b"\x02\x21\x4c\x18\x04\0\0\0abcd\x09\0\0\0",
            b"garbage",
        ] {
            let image = bzimage(magic);
            assert!(locate(&image).is_some_and(|payload| payload.unpack().is_err()));
        }
    }
}

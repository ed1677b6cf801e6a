//! Passes what the BPF programs log (aya-log) on to this process's logger. Off by
//! default: the programs are loaded with log level 0, and the verifier removes the calls.

use aya::Ebpf;
use aya_log::EbpfLogger;

/// Reader of the programs' log ring; nothing when logging is off.
pub(super) struct KernelLog {
    reader: Option<EbpfLogger<&'static dyn log::Log>>,
}

impl KernelLog {
    /// Starts reading when `level` is not 0.
    pub(super) fn start(ebpf: &mut Ebpf, level: u8) -> Self {
        let reader = if level == 0 {
            None
        } else {
            EbpfLogger::init(ebpf)
                .inspect_err(|error| log::warn!("cannot read the log of the BPF programs: {error}"))
                .ok()
        };
        Self { reader }
    }

    /// Logs what waits in the ring.
    pub(super) fn flush(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.flush();
        }
    }
}

//! A small writer of the same format, what containerd itself wrote, and damage.

#![expect(
    clippy::cast_possible_truncation,
    reason = "the databases of tests are small"
)]

use std::collections::BTreeMap;

use super::*;
use proptest::prelude::*;

const PAGE: usize = 4096;

/// What a test puts into a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Value(Vec<u8>),
    Bucket(BTreeMap<Vec<u8>, Node>),
}

/// Puts a value at a path of buckets.
pub(crate) fn put(tree: &mut BTreeMap<Vec<u8>, Node>, path: &[&str], value: &[u8]) {
    let (first, rest) = path.split_first().expect("a path has a last key");
    if rest.is_empty() {
        tree.insert(first.as_bytes().to_vec(), Node::Value(value.to_vec()));
        return;
    }
    let inner = tree
        .entry(first.as_bytes().to_vec())
        .or_insert_with(|| Node::Bucket(BTreeMap::new()));
    if let Node::Bucket(inner) = inner {
        put(inner, rest, value);
    }
}

/// Writes pages as bbolt does: two metas, then the tree from its leaves.
pub(crate) fn write(tree: &BTreeMap<Vec<u8>, Node>) -> Vec<u8> {
    let mut pages = vec![0; 2 * PAGE];
    let root = write_bucket(&mut pages, tree);
    let high = (pages.len() / PAGE) as u64;
    for (number, transaction) in [(0_usize, 1_u64), (1, 2)] {
        let mut meta = Vec::new();
        meta.extend(MAGIC.to_le_bytes());
        meta.extend(VERSION.to_le_bytes());
        meta.extend((PAGE as u32).to_le_bytes());
        meta.extend(0_u32.to_le_bytes());
        for word in [root, 0, 0, high, transaction] {
            meta.extend(word.to_le_bytes());
        }
        meta.extend(fnv1a(&meta).to_le_bytes());
        let at = number * PAGE + PAGE_HEADER;
        pages[at..at + META].copy_from_slice(&meta);
    }
    pages
}

fn write_bucket(pages: &mut Vec<u8>, tree: &BTreeMap<Vec<u8>, Node>) -> u64 {
    let mut elements = Vec::new();
    for (key, node) in tree {
        let (flags, value) = match node {
            Node::Value(value) => (0, value.clone()),
            Node::Bucket(inner) => (BUCKET_ELEMENT, bucket_value(pages, inner)),
        };
        elements.push((flags, key.clone(), value));
    }
    // Few entries per leaf, so that small trees already have branches.
    let leaves: Vec<(Vec<u8>, u64)> = elements
        .chunks(5)
        .map(|chunk| (chunk[0].1.clone(), append(pages, &leaf(chunk))))
        .collect();
    match leaves.as_slice() {
        [] => append(pages, &leaf(&[])),
        [(_, only)] => *only,
        many => append(pages, &branch(many)),
    }
}

/// Small buckets without buckets in them are inline (`Bucket.inlineable`).
fn bucket_value(pages: &mut Vec<u8>, inner: &BTreeMap<Vec<u8>, Node>) -> Vec<u8> {
    let values: Option<Vec<_>> = inner
        .iter()
        .map(|(key, node)| match node {
            Node::Value(value) => Some((0, key.clone(), value.clone())),
            Node::Bucket(_) => None,
        })
        .collect();
    let inline = values.map(|values| leaf(&values));
    let (root, page) = match inline {
        Some(page) if page.len() <= PAGE / 4 => (0, page),
        _ => (write_bucket(pages, inner), Vec::new()),
    };
    let mut value = root.to_le_bytes().to_vec();
    value.extend(0_u64.to_le_bytes());
    value.extend(page);
    value
}

fn header(flags: u16, count: usize) -> Vec<u8> {
    let mut page = 0_u64.to_le_bytes().to_vec();
    page.extend(flags.to_le_bytes());
    page.extend((count as u16).to_le_bytes());
    page.extend(0_u32.to_le_bytes());
    page
}

fn leaf(elements: &[(u32, Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut page = header(LEAF, elements.len());
    let mut bodies = Vec::new();
    for (index, (flags, key, value)) in elements.iter().enumerate() {
        let position = (elements.len() - index) * ELEMENT + bodies.len();
        for field in [
            *flags,
            position as u32,
            key.len() as u32,
            value.len() as u32,
        ] {
            page.extend(field.to_le_bytes());
        }
        bodies.extend_from_slice(key);
        bodies.extend_from_slice(value);
    }
    page.extend(bodies);
    page
}

fn branch(children: &[(Vec<u8>, u64)]) -> Vec<u8> {
    let mut page = header(BRANCH, children.len());
    let mut bodies = Vec::new();
    for (index, (key, child)) in children.iter().enumerate() {
        let position = (children.len() - index) * ELEMENT + bodies.len();
        page.extend((position as u32).to_le_bytes());
        page.extend((key.len() as u32).to_le_bytes());
        page.extend(child.to_le_bytes());
        bodies.extend_from_slice(key);
    }
    page.extend(bodies);
    page
}

fn append(pages: &mut Vec<u8>, page: &[u8]) -> u64 {
    let number = pages.len() / PAGE;
    let count = page.len().div_ceil(PAGE).max(1);
    pages.extend_from_slice(page);
    pages.resize((number + count) * PAGE, 0);
    let at = number * PAGE;
    pages[at..at + 8].copy_from_slice(&(number as u64).to_le_bytes());
    pages[at + 12..at + 16].copy_from_slice(&(count as u32 - 1).to_le_bytes());
    number as u64
}

/// Everything in a bucket, for comparison. Damage can make a bucket contain itself, so
/// this stops after more entries than any test writes.
fn read_back(bucket: Bucket<'_>) -> Result<BTreeMap<Vec<u8>, Node>, BoltError> {
    read_some(bucket, 0, &mut 20_000)
}

fn read_some(
    bucket: Bucket<'_>,
    depth: usize,
    budget: &mut usize,
) -> Result<BTreeMap<Vec<u8>, Node>, BoltError> {
    let mut tree = BTreeMap::new();
    for (key, entry) in bucket.entries()? {
        *budget = budget.saturating_sub(1);
        let node = match entry {
            Entry::Value(value) => Node::Value(value.to_vec()),
            Entry::Bucket(inner) if depth < 20 && *budget > 0 => {
                Node::Bucket(read_some(inner, depth + 1, budget)?)
            }
            Entry::Bucket(_) => continue,
        };
        tree.insert(key.to_vec(), node);
    }
    Ok(tree)
}

/// What containerd 1.6.20 wrote for one image of three layers and one container.
pub(crate) const CONTAINERD_META: &[u8] = include_bytes!("testdata/containerd-meta.db");
/// The database of its overlayfs snapshotter.
pub(crate) const CONTAINERD_SNAPSHOTS: &[u8] = include_bytes!("testdata/containerd-overlayfs.db");

#[test]
fn a_database_of_containerd_is_read() {
    let bolt = Bolt::parse(CONTAINERD_SNAPSHOTS.to_vec()).expect("it is a database");
    let snapshots = bolt
        .root()
        .descend(&[b"v1", b"snapshots"])
        .expect("its pages are sound")
        .expect("it has snapshots");
    let names: Vec<String> = snapshots
        .buckets()
        .expect("its pages are sound")
        .iter()
        .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
        .collect();
    assert_eq!(names.len(), 4);
    assert_eq!(names[3], "k8s.io/7/c0ffee");
}

#[test]
fn a_page_that_contains_itself_is_an_error() {
    let mut tree = BTreeMap::new();
    for number in 0..20 {
        put(&mut tree, &[&format!("{number:02}")], b"x");
    }
    let mut bytes = write(&tree);
    let meta = newest(&bytes).expect("it was just written");
    let first_child = meta.root as usize * PAGE + PAGE_HEADER + 8;
    bytes[first_child..first_child + 8].copy_from_slice(&meta.root.to_le_bytes());
    let bolt = Bolt::parse(bytes).expect("the metas are sound");
    let error = bolt.root().entries().expect_err("it never ends");
    assert!(error.to_string().contains("contains itself"), "{error}");
}

#[test]
fn the_second_meta_page_serves_when_the_first_is_torn() {
    let mut tree = BTreeMap::new();
    put(&mut tree, &["a", "b"], b"c");
    let mut bytes = write(&tree);
    bytes[PAGE_HEADER + 20] ^= 1;
    let bolt = Bolt::parse(bytes).expect("the second meta page is sound");
    assert_eq!(read_back(bolt.root()).expect("its pages are sound"), tree);
}

#[test]
fn a_file_that_is_no_database_is_named_as_such() {
    for bytes in [Vec::new(), vec![0; 10], vec![0xff; 1 << 16]] {
        assert!(matches!(Bolt::parse(bytes), Err(BoltError::NoMeta)));
    }
}

fn any_tree() -> impl Strategy<Value = BTreeMap<Vec<u8>, Node>> {
    let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
    let value = bytes(300).prop_map(Node::Value);
    let node = value.prop_recursive(3, 60, 12, move |inner| {
        proptest::collection::btree_map(bytes(20), inner, 0..12).prop_map(Node::Bucket)
    });
    proptest::collection::btree_map(proptest::collection::vec(any::<u8>(), 1..20), node, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_was_written_is_read(tree in any_tree()) {
        let bolt = Bolt::parse(write(&tree)).expect("it was just written");
        prop_assert_eq!(read_back(bolt.root()).expect("its pages are sound"), tree);
    }

    #[test]
    fn damage_never_panics(
        tree in any_tree(),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..30),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = write(&tree);
        for (place, byte) in places {
            // Behind the metas, so that damage reaches the pages.
            let at = 2 * PAGE + place.index(bytes.len() - 2 * PAGE);
            bytes[at] = byte;
        }
        bytes.truncate(2 * PAGE + length.index(bytes.len() - 2 * PAGE + 1));
        let bolt = Bolt::parse(bytes).expect("the metas are sound");
        let _ = read_back(bolt.root());
    }

    #[test]
    fn damage_to_a_real_database_never_panics(
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200),
    ) {
        let mut bytes = CONTAINERD_META.to_vec();
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(bolt) = Bolt::parse(bytes) {
            let _ = read_back(bolt.root());
        }
    }
}

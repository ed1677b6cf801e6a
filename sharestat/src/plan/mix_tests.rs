//! Mix files that are right, and each way in which one can be wrong.

use proptest::prelude::*;

use super::*;

const WHOLE: &str = r#"
[host]
memory = "64GiB"
base = "1.5GiB"
reserve = "4GiB"

[[image]]
name = "web"
replicas = 6
containers = "web-*"
private_from = ["web-1.stat", "web-2.stat"]

[[image]]
name = "db"
private = "2GiB"
page_cache = "900MiB"
shared = "700MiB"
"#;

fn refused(text: &str) -> String {
    Mix::parse(text).expect_err("it is refused").to_string()
}

#[test]
fn everything_that_a_mix_says_is_read() {
    let mix = Mix::parse(WHOLE).expect("it is valid");
    assert_eq!(mix.host.memory, Some(64 << 30));
    assert_eq!(mix.host.base, Some(3 << 29));
    assert_eq!(mix.host.reserve, Some(4 << 30));
    let [web, db] = mix.images.as_slice() else {
        panic!("two images: {mix:?}");
    };
    assert_eq!((web.name.as_str(), web.replicas), ("web", 6));
    assert_eq!(web.containers.as_deref(), Some("web-*"));
    let files = vec!["web-1.stat".into(), "web-2.stat".into()];
    assert_eq!(web.private, Private::Measured(files));
    assert_eq!(db.replicas, 1);
    assert_eq!(db.private, Private::Stated(2 << 30));
    assert_eq!(db.page_cache, Some(900 << 20));
    assert_eq!(db.shared, Some(700 << 20));
}

#[test]
fn unknown_keys_are_named_with_their_line_and_what_was_meant() {
    let error = refused("[[image]]\nname = \"a\"\nreplica = 2\n");
    assert_eq!(
        error,
        "line 3: there is no key of an image 'replica'; did you mean 'replicas'?"
    );
    assert!(refused("[host]\nmemry = \"1GiB\"\n").starts_with("line 2: "));
    assert!(refused("\n[[images]]\nname = \"a\"\n").contains("did you mean 'image'?"));
}

#[test]
fn replicas_are_at_least_one() {
    for (number, words) in [
        ("0", "'replicas' is 0"),
        ("-3", "'replicas' is -3"),
        ("1.5", "not a whole number"),
        ("2000000", "larger than"),
        ("99999999999999999999", "larger than"),
    ] {
        let error = refused(&format!("[[image]]\nname = \"a\"\nreplicas = {number}\n"));
        assert!(error.starts_with("line 3: "), "{error}");
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn units_are_neither_left_out_nor_mixed() {
    let error = refused("[host]\nmemory = 64\n");
    assert!(error.starts_with("line 2: 'memory' has no unit"), "{error}");
    let error = refused("[host]\nmemory = \"64GiB\"\n[[image]]\nname = \"a\"\nprivate = \"2GB\"\n");
    assert!(error.starts_with("line 5: 'private' is in GB"), "{error}");
    assert!(error.contains("line 2 is in GiB"), "{error}");
}

#[test]
fn contradictions_are_named() {
    let image = |rest: &str| refused(&format!("[[image]]\nname = \"a\"\n{rest}"));
    assert!(image("private = \"1MiB\"\nprivate_from = \"f\"\n").contains("only one of"));
    assert!(image("shared = \"1MiB\"\n").contains("without 'page_cache'"));
    assert!(image("page_cache = \"1MiB\"\nshared = \"2MiB\"\n").contains("more 'shared'"));
    assert!(image("page_cache = \"1MiB\"\ncontainers = \"x\"\n").contains("give one of them"));
    let twice = image("[[image]]\nname = \"a\"\nreplicas = 2\n");
    assert_eq!(twice, "line 4: there is an image 'a' already");
    assert!(refused("[[image]]\nreplicas = 2\n").contains("no 'name'"));
    assert!(refused("[host]\nmemory = \"1GiB\"\n").contains("no image"));
    assert!(refused("a = = 1\n").starts_with("line 1: not TOML"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_in_one_line(text in "[a-z=\\[\\]\"\n .0-9_-]{0,80}") {
        if let Err(error) = Mix::parse(&text) {
            prop_assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}

//! Runs one case: one at a time, as root, per engine, and makes a skipped case visible.
//!
//! In a guest (`SHARESTAT_GUEST=1`) nothing may be missing, so there a skip is a failure.

use std::{
    env, fmt,
    io::Write as _,
    sync::{
        Mutex, Once, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How the page cache is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Bpf,
    User,
}

impl Engine {
    /// The value of `--engine`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bpf => "bpf",
            Self::User => "user",
        }
    }

    fn missing(self) -> Option<Skip> {
        if let Ok(chosen) = env::var("SHARESTAT_ENGINES")
            && !chosen.split(',').any(|name| name == self.name())
        {
            return Some(Skip(format!("SHARESTAT_ENGINES='{chosen}' leaves it out")));
        }
        (self == Self::Bpf && cfg!(without_bpf) && env::var_os("SHARESTAT_BIN").is_none())
            .then(|| Skip("this binary was built without the BPF object".to_owned()))
    }
}

/// Why a case could not be tried here.
#[derive(Debug)]
pub(crate) struct Skip(pub(crate) String);

/// Passed, or could not be tried; a failure panics.
pub(crate) type Outcome = Result<(), Skip>;

/// A case that needs nothing special returns nothing.
pub(crate) trait IntoOutcome {
    /// As an outcome.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Ok(())
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

/// Turns an error of the test's own doing into a failure that says what was tried.
pub(crate) trait OrFail<T> {
    /// The value, or a panic with `what` and the error.
    fn or_fail(self, what: impl fmt::Display) -> T;
}

impl<T, E: fmt::Display> OrFail<T> for Result<T, E> {
    #[track_caller]
    fn or_fail(self, what: impl fmt::Display) -> T {
        match self {
            Ok(value) => value,
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

/// True in a guest of `cargo xtask test vm`.
pub(crate) fn in_guest() -> bool {
    env::var_os("SHARESTAT_GUEST").is_some_and(|value| value == "1")
}

/// How long to wait for something that should happen at once: an emulated guest is up
/// to twenty times slower.
pub(crate) fn patience() -> Duration {
    Duration::from_secs(if in_guest() { 90 } else { 20 })
}

/// Version of the running kernel, to tell what it cannot do.
pub(crate) fn kernel_version() -> (u32, u32) {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut parts = release.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// Runs `case` with `engine`; cases never overlap, because they drop caches.
pub(crate) fn run<Result: IntoOutcome>(engine: Engine, case: fn(Engine) -> Result) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tell_failures_at_once();
    let outcome = match engine.missing() {
        Some(skip) => return note_skip(&skip),
        None if !rustix::process::geteuid().is_root() => Err(Skip("needs root".to_owned())),
        None => case(engine).into_outcome(),
    };
    match outcome {
        Ok(()) => {}
        Err(skip) if in_guest() => panic!("nothing may be missing in a guest: {}", skip.0),
        Err(skip) => note_skip(&skip),
    }
}

/// libtest tells why a case failed after the last one, which a guest that is killed never
/// reaches: says it right away as well, past its capture.
fn tell_failures_at_once() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let captured = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |failure| {
            // A closed stderr must not turn a failure into an abort.
            let _ = writeln!(std::io::stderr(), "{failure}");
            captured(failure);
        }));
    });
}

/// A case about something that this kernel, or this kind of machine, is known not to have:
/// unlike a [`Skip`] no failure in a guest, but shown and counted as skipped.
pub(crate) fn not_here(why: &str) {
    note_skip(&Skip(why.to_owned()));
}

/// Writes past the capture of libtest, which would hide the words of a passing case.
fn note_skip(skip: &Skip) {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    static AT_EXIT: Once = Once::new();
    extern "C" fn total() {
        let skipped = SKIPPED.load(Ordering::Relaxed);
        // The process ends: there is nobody left to tell that stderr is closed.
        let _ = writeln!(std::io::stderr(), "truth: {skipped} skipped in all");
    }
    // SAFETY: the handler is a plain function that lives as long as the process.
    AT_EXIT.call_once(|| unsafe {
        libc::atexit(total);
    });
    SKIPPED.fetch_add(1, Ordering::Relaxed);
    say(&format!("skipped: {}", skip.0));
}

/// Says something about a case, past the capture of libtest: a figure worth knowing also
/// when the case passes.
pub(crate) fn say(words: &str) {
    let case = std::thread::current().name().unwrap_or("case").to_owned();
    let _ = writeln!(std::io::stderr(), "{case} ... {words}");
}

/// Makes of each case one test per engine, named `user::CASE` and `bpf::CASE`.
macro_rules! per_engine {
    ($($case:ident),+ $(,)?) => {
        mod user {
            $(#[test] fn $case() {
                crate::harness::run(crate::harness::Engine::User, super::$case);
            })+
        }
        mod bpf {
            $(#[test] fn $case() {
                crate::harness::run(crate::harness::Engine::Bpf, super::$case);
            })+
        }
    };
}

/// As [`per_engine`], for what only the BPF engine promises.
macro_rules! bpf_only {
    ($($case:ident),+ $(,)?) => {
        mod bpf {
            $(#[test] fn $case() {
                crate::harness::run(crate::harness::Engine::Bpf, super::$case);
            })+
        }
    };
}

pub(crate) use {bpf_only, per_engine};

//! A test function, and what is expected of it.

use std::any::Any;
use std::thread;

/// A test function.
pub type Body = fn() -> Result<(), String>;

/// One test function of the program.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its path in the crate.
    pub name: String,
    /// Its author does not want it to run.
    pub ignored: bool,
    /// Whether it is to panic.
    pub panics: Panics,
    /// The function.
    pub body: Body,
}

/// Whether a test function is to panic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Panics {
    /// It must not.
    No,
    /// It must.
    Yes,
    /// It must, and with a message that contains this.
    With(&'static str),
}

impl Panics {
    /// Whether a body that ended so has passed, or why not.
    pub(crate) fn judge(self, ended: thread::Result<Result<(), String>>) -> Result<(), String> {
        match (self, ended) {
            (Panics::No, Ok(result)) => result,
            (Panics::No, Err(payload)) => Err(format!("panicked: {}", message(&*payload))),
            (Panics::Yes, Err(_)) => Ok(()),
            (Panics::With(part), Err(payload)) => match message(&*payload) {
                message if message.contains(part) => Ok(()),
                message => Err(format!("panicked, but not with {part:?}: {message}")),
            },
            (Panics::Yes | Panics::With(_), Ok(_)) => Err("did not panic".to_owned()),
        }
    }
}

/// What a panic said, in one line.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("with something that is no text").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::Panics;
    use std::panic::panic_any;
    use std::thread;

    #[test]
    fn a_body_passes_if_it_does_what_is_expected() {
        let panics = |text: &'static str| thread::spawn(move || panic_any(text)).join();
        assert_eq!(Panics::No.judge(Ok(Ok(()))), Ok(()));
        assert_eq!(Panics::No.judge(Ok(Err("no".to_owned()))), Err("no".to_owned()));
        assert_eq!(Panics::No.judge(panics("a\nb")), Err("panicked: a b".to_owned()));
        assert_eq!(Panics::Yes.judge(panics("a")), Ok(()));
        assert!(Panics::Yes.judge(Ok(Ok(()))).is_err());
        assert_eq!(Panics::With("b").judge(panics("abc")), Ok(()));
        assert!(Panics::With("d").judge(panics("abc")).is_err());
        assert!(Panics::With("d").judge(Ok(Ok(()))).is_err());
    }
}

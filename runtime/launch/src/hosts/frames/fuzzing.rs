//! What `cargo xtask fuzz` feeds.

use super::{Frame, FromAgent, ToAgent};

/// Reads frames out of `bytes`, as the agent if the first is even and else as the launcher.
///
/// # Panics
/// When a message is another one after it was written and read again.
pub fn frames(bytes: &[u8]) {
    let Some((which, mut stream)) = bytes.split_first() else { return };
    while let Ok(Some(frame)) = Frame::read(&mut stream) {
        if which % 2 == 0 {
            let Ok(message) = ToAgent::from_frame(frame) else { return };
            let again = message.clone().into_frame().and_then(|frame| ToAgent::from_frame(carried(&frame)));
            assert_eq!(again.expect("what was read can be written"), message);
        } else {
            let Ok(message) = FromAgent::from_frame(frame) else { return };
            let again = FromAgent::from_frame(carried(&message.clone().into_frame()));
            assert_eq!(again.expect("what was read can be written"), message);
        }
    }
}

/// The frame after its way.
fn carried(frame: &Frame) -> Frame {
    let mut bytes = Vec::new();
    frame.write(&mut bytes).expect("memory takes all");
    let mut bytes = &bytes[..];
    let frame = Frame::read(&mut bytes).expect("a frame").expect("not the end");
    assert!(bytes.is_empty());
    frame
}

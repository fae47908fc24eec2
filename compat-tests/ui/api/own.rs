//! What dstd defines itself, beside what std 1.95 has under the same name. Made by `cargo xtask api --write`.

#[test]
fn thread_builder() {
    let _ = <dstd::thread::Builder>::name;
    let _ = <dstd::thread::Builder>::new;
    let _ = <dstd::thread::Builder>::spawn::<fn() -> u8, u8>;
    let _ = <dstd::thread::Builder>::spawn_scoped::<fn() -> u8, u8>;
    let _ = <dstd::thread::Builder>::spawn_unchecked::<fn() -> u8, u8>;
    let _ = <dstd::thread::Builder>::stack_size;
    same!(std::fmt::Debug, std::thread::Builder, dstd::thread::Builder);
    same!(std::marker::Send, std::thread::Builder, dstd::thread::Builder);
    same!(std::marker::Sync, std::thread::Builder, dstd::thread::Builder);
    same!(std::marker::Unpin, std::thread::Builder, dstd::thread::Builder);
    same!(std::panic::RefUnwindSafe, std::thread::Builder, dstd::thread::Builder);
    same!(std::panic::UnwindSafe, std::thread::Builder, dstd::thread::Builder);
}

#[test]
fn thread_joinhandle() {
    let _ = <dstd::thread::JoinHandle<u8>>::is_finished;
    let _ = <dstd::thread::JoinHandle<u8>>::join;
    let _ = <dstd::thread::JoinHandle<u8>>::thread;
    same!(std::fmt::Debug, std::thread::JoinHandle<u8>, dstd::thread::JoinHandle<u8>);
    same!(std::marker::Send, std::thread::JoinHandle<u8>, dstd::thread::JoinHandle<u8>);
    same!(std::marker::Sync, std::thread::JoinHandle<u8>, dstd::thread::JoinHandle<u8>);
    same!(std::marker::Unpin, std::thread::JoinHandle<u8>, dstd::thread::JoinHandle<u8>);
    same!(std::os::unix::thread::JoinHandleExt, std::thread::JoinHandle<u8>, dstd::thread::JoinHandle<u8>);
    same!(std::panic::RefUnwindSafe, std::thread::JoinHandle<u8>, dstd::thread::JoinHandle<u8>);
    same!(std::panic::UnwindSafe, std::thread::JoinHandle<u8>, dstd::thread::JoinHandle<u8>);
    same!(std::fmt::Debug, std::thread::JoinHandle<*const u8>, dstd::thread::JoinHandle<*const u8>);
    same!(std::marker::Send, std::thread::JoinHandle<*const u8>, dstd::thread::JoinHandle<*const u8>);
    same!(std::marker::Sync, std::thread::JoinHandle<*const u8>, dstd::thread::JoinHandle<*const u8>);
    same!(std::marker::Unpin, std::thread::JoinHandle<*const u8>, dstd::thread::JoinHandle<*const u8>);
    same!(std::os::unix::thread::JoinHandleExt, std::thread::JoinHandle<*const u8>, dstd::thread::JoinHandle<*const u8>);
    same!(std::panic::RefUnwindSafe, std::thread::JoinHandle<*const u8>, dstd::thread::JoinHandle<*const u8>);
    same!(std::panic::UnwindSafe, std::thread::JoinHandle<*const u8>, dstd::thread::JoinHandle<*const u8>);
}

#[test]
fn thread_scope() {
    let _ = <dstd::thread::Scope<'static, 'static>>::spawn::<fn() -> u8, u8>;
    same!(std::fmt::Debug, std::thread::Scope<'static, 'static>, dstd::thread::Scope<'static, 'static>);
    same!(std::marker::Send, std::thread::Scope<'static, 'static>, dstd::thread::Scope<'static, 'static>);
    same!(std::marker::Sync, std::thread::Scope<'static, 'static>, dstd::thread::Scope<'static, 'static>);
    same!(std::marker::Unpin, std::thread::Scope<'static, 'static>, dstd::thread::Scope<'static, 'static>);
    same!(std::panic::RefUnwindSafe, std::thread::Scope<'static, 'static>, dstd::thread::Scope<'static, 'static>);
    same!(std::panic::UnwindSafe, std::thread::Scope<'static, 'static>, dstd::thread::Scope<'static, 'static>);
}

#[test]
fn thread_scopedjoinhandle() {
    let _ = <dstd::thread::ScopedJoinHandle<'static, u8>>::is_finished;
    let _ = <dstd::thread::ScopedJoinHandle<'static, u8>>::join;
    let _ = <dstd::thread::ScopedJoinHandle<'static, u8>>::thread;
    same!(std::fmt::Debug, std::thread::ScopedJoinHandle<'static, u8>, dstd::thread::ScopedJoinHandle<'static, u8>);
    same!(std::marker::Send, std::thread::ScopedJoinHandle<'static, u8>, dstd::thread::ScopedJoinHandle<'static, u8>);
    same!(std::marker::Sync, std::thread::ScopedJoinHandle<'static, u8>, dstd::thread::ScopedJoinHandle<'static, u8>);
    same!(std::marker::Unpin, std::thread::ScopedJoinHandle<'static, u8>, dstd::thread::ScopedJoinHandle<'static, u8>);
    same!(std::panic::RefUnwindSafe, std::thread::ScopedJoinHandle<'static, u8>, dstd::thread::ScopedJoinHandle<'static, u8>);
    same!(std::panic::UnwindSafe, std::thread::ScopedJoinHandle<'static, u8>, dstd::thread::ScopedJoinHandle<'static, u8>);
    same!(std::fmt::Debug, std::thread::ScopedJoinHandle<'static, *const u8>, dstd::thread::ScopedJoinHandle<'static, *const u8>);
    same!(std::marker::Send, std::thread::ScopedJoinHandle<'static, *const u8>, dstd::thread::ScopedJoinHandle<'static, *const u8>);
    same!(std::marker::Sync, std::thread::ScopedJoinHandle<'static, *const u8>, dstd::thread::ScopedJoinHandle<'static, *const u8>);
    same!(std::marker::Unpin, std::thread::ScopedJoinHandle<'static, *const u8>, dstd::thread::ScopedJoinHandle<'static, *const u8>);
    same!(std::panic::RefUnwindSafe, std::thread::ScopedJoinHandle<'static, *const u8>, dstd::thread::ScopedJoinHandle<'static, *const u8>);
    same!(std::panic::UnwindSafe, std::thread::ScopedJoinHandle<'static, *const u8>, dstd::thread::ScopedJoinHandle<'static, *const u8>);
}

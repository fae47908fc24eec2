//! What the attributes of a new thread ask for.
//!
//! *Why not safe code*: libc's attributes are read by its functions.

use core::ffi::c_int;

/// What a thread gets that asks for nothing (as glibc's usual limit).
const DEFAULT_STACK_BYTES: u64 = 8 << 20;

/// What a thread's attributes ask for.
#[derive(Clone, Copy)]
pub(super) struct Wishes {
    /// Size of the stack.
    pub(super) bytes: u64,
    pub(super) detached: bool,
    /// Whether it asks for something of this machine: CPUs, a scheduling policy, memory for its stack.
    pub(super) bound: bool,
}

impl Wishes {
    /// Those of a thread without attributes.
    pub(super) const NONE: Wishes = Wishes { bytes: DEFAULT_STACK_BYTES, detached: false, bound: false };

    /// What `attributes`, null or valid, say.
    pub(super) fn of(attributes: *const libc::pthread_attr_t) -> Wishes {
        if attributes.is_null() {
            return Wishes::NONE;
        }
        let mut bytes = 0;
        // SAFETY: the caller of `pthread_create` passes valid attributes.
        let known = unsafe { libc::pthread_attr_getstacksize(attributes, &raw mut bytes) } == 0;
        let mut state = 0;
        // SAFETY: as above.
        unsafe { pthread_attr_getdetachstate(attributes, &raw mut state) };
        Wishes {
            bytes: if known && bytes != 0 { bytes as u64 } else { DEFAULT_STACK_BYTES },
            detached: state == libc::PTHREAD_CREATE_DETACHED,
            bound: has_stack(attributes) || has_policy(attributes) || names_cpus(attributes),
        }
    }
}

/// Gives the attributes `to` what `from` asks for of this machine, but for a stack.
///
/// # Errors
/// libc's number: a set of more CPUs than can be named.
pub(super) fn pass_on(from: *const libc::pthread_attr_t, to: *mut libc::pthread_attr_t) -> Result<(), c_int> {
    let done = |error: c_int| if error == 0 { Ok(()) } else { Err(error) };
    if has_policy(from) {
        let (mut policy, mut param) = (0, libc::sched_param { sched_priority: 0 });
        // SAFETY: the caller of `pthread_create` passes valid attributes.
        done(unsafe { libc::pthread_attr_getschedpolicy(from, &raw mut policy) })?;
        // SAFETY: as above.
        done(unsafe { libc::pthread_attr_getschedparam(from, &raw mut param) })?;
        // SAFETY: initialised attributes of ours.
        done(unsafe { libc::pthread_attr_setschedpolicy(to, policy) })?;
        // SAFETY: as above.
        done(unsafe { libc::pthread_attr_setschedparam(to, &raw const param) })?;
        // SAFETY: as above.
        done(unsafe { libc::pthread_attr_setinheritsched(to, libc::PTHREAD_EXPLICIT_SCHED) })?;
    }
    if names_cpus(from) {
        let set = cpus(from)?;
        // SAFETY: initialised attributes of ours, and as many words as a set has.
        done(unsafe { libc::pthread_attr_setaffinity_np(to, size_of_val(&set), set.as_ptr().cast()) })?;
    }
    Ok(())
}

/// Whether the attributes say where the stack is: libc answers with the start of one that ends at 0 where they do not.
fn has_stack(attributes: *const libc::pthread_attr_t) -> bool {
    let (mut start, mut bytes) = (core::ptr::null_mut(), 0);
    // SAFETY: the caller of `pthread_create` passes valid attributes.
    let error = unsafe { libc::pthread_attr_getstack(attributes, &raw mut start, &raw mut bytes) };
    error == 0 && start.addr().wrapping_add(bytes) != 0
}

/// Whether the attributes say how the thread is scheduled, otherwise than its creator is.
fn has_policy(attributes: *const libc::pthread_attr_t) -> bool {
    let mut policy = libc::PTHREAD_INHERIT_SCHED;
    // SAFETY: the caller of `pthread_create` passes valid attributes.
    unsafe { libc::pthread_attr_getinheritsched(attributes, &raw mut policy) };
    policy != libc::PTHREAD_INHERIT_SCHED
}

/// As many bits as a `cpu_set_t` has.
type Cpus = [u64; size_of::<libc::cpu_set_t>() / size_of::<u64>()];

/// Whether the attributes say on which CPUs the thread runs. A set that does not fit was given by somebody.
fn names_cpus(attributes: *const libc::pthread_attr_t) -> bool {
    cpus(attributes).map_or(true, |set| set.iter().any(|word| *word != u64::MAX))
}

/// The CPUs that the attributes name: libc answers with all that can be named where they name none.
fn cpus(attributes: *const libc::pthread_attr_t) -> Result<Cpus, c_int> {
    let mut set: Cpus = [0; _];
    // SAFETY: the caller of `pthread_create` passes valid attributes; the words are as large as a set, and as aligned.
    let error =
        unsafe { libc::pthread_attr_getaffinity_np(attributes, size_of_val(&set), set.as_mut_ptr().cast()) };
    if error == 0 { Ok(set) } else { Err(error) }
}

unsafe extern "C" {
    fn pthread_attr_getdetachstate(attributes: *const libc::pthread_attr_t, state: *mut c_int) -> c_int;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wishes of attributes that `change` has changed.
    fn wishes(change: impl FnOnce(*mut libc::pthread_attr_t) -> c_int) -> Wishes {
        let mut attributes = core::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
        // SAFETY: initialises the attributes.
        unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) };
        assert_eq!(change(attributes.as_mut_ptr()), 0);
        let wishes = Wishes::of(attributes.as_ptr());
        // SAFETY: initialised above.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
        wishes
    }

    #[test]
    fn sizes_and_detached_threads_are_of_no_machine() {
        assert!(!Wishes::of(core::ptr::null()).bound);
        assert!(!wishes(|_| 0).bound);
        // SAFETY: valid attributes.
        let sized = wishes(|attributes| unsafe { libc::pthread_attr_setstacksize(attributes, 300_000) });
        assert_eq!((sized.bytes, sized.detached, sized.bound), (300_000, false, false));
        let detached = wishes(|attributes| {
            // SAFETY: valid attributes.
            unsafe { libc::pthread_attr_setdetachstate(attributes, libc::PTHREAD_CREATE_DETACHED) }
        });
        assert!(detached.detached && !detached.bound);
    }

    #[test]
    fn stacks_policies_and_cpus_are_of_one_machine() {
        let mut stack = vec![0_u64; 65_536];
        let bytes = size_of_val(stack.as_slice());
        let stack = stack.as_mut_ptr().cast();
        // SAFETY: valid attributes, and memory that no thread gets.
        assert!(wishes(|attributes| unsafe { libc::pthread_attr_setstack(attributes, stack, bytes) }).bound);
        let policy = libc::PTHREAD_EXPLICIT_SCHED;
        // SAFETY: valid attributes.
        assert!(wishes(|attributes| unsafe { libc::pthread_attr_setinheritsched(attributes, policy) }).bound);
        let mut one: Cpus = [0; _];
        one[0] = 1;
        let cpus = wishes(|attributes| {
            // SAFETY: valid attributes, and as many words as a set has.
            unsafe { libc::pthread_attr_setaffinity_np(attributes, size_of_val(&one), one.as_ptr().cast()) }
        });
        assert!(cpus.bound);
    }

    #[test]
    fn what_is_of_one_machine_is_passed_on() {
        let mut one: Cpus = [0; _];
        one[0] = 1;
        let mut kept = core::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
        let kept = kept.as_mut_ptr();
        // SAFETY: initialises the attributes.
        unsafe { libc::pthread_attr_init(kept) };
        wishes(|attributes| {
            // SAFETY: valid attributes, and as many words as a set has.
            unsafe { libc::pthread_attr_setaffinity_np(attributes, size_of_val(&one), one.as_ptr().cast()) };
            // SAFETY: valid attributes.
            unsafe { libc::pthread_attr_setinheritsched(attributes, libc::PTHREAD_EXPLICIT_SCHED) };
            // SAFETY: as above.
            unsafe { libc::pthread_attr_setschedpolicy(attributes, libc::SCHED_FIFO) };
            let first = libc::sched_param { sched_priority: 7 };
            // SAFETY: as above.
            unsafe { libc::pthread_attr_setschedparam(attributes, &raw const first) };
            pass_on(attributes, kept).err().unwrap_or(0)
        });
        let (mut policy, mut param) = (0, libc::sched_param { sched_priority: 0 });
        // SAFETY: valid attributes.
        unsafe { libc::pthread_attr_getschedpolicy(kept, &raw mut policy) };
        // SAFETY: as above.
        unsafe { libc::pthread_attr_getschedparam(kept, &raw mut param) };
        assert_eq!((policy, param.sched_priority), (libc::SCHED_FIFO, 7));
        assert_eq!((cpus(kept), has_policy(kept)), (Ok(one), true));
        // SAFETY: initialised above.
        unsafe { libc::pthread_attr_destroy(kept) };
    }
}

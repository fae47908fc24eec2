//! A [`Job`] and its closure as the body of a message.
//!
//! ```text
//! 0        8        16       24       32       40       48       56        64
//! | run    | drop r | size c | align c| size r | align r| stack  | name len| name | closure
//! ```
//! Little endian; `stack` is 0 when not asked for; `name len` is `u64::MAX` for no name.
//! The bytes come from an authenticated node that runs the same binary (SHIP-1).

use std::alloc::Layout;

use super::Job;

const FIELDS: usize = 8;

pub(super) fn encode(job: &Job, closure: &[u8]) -> Vec<u8> {
    let name = job.name.as_deref();
    let fields: [u64; FIELDS] = [
        job.run as usize as u64,
        job.drop_result as usize as u64,
        job.closure.size() as u64,
        job.closure.align() as u64,
        job.result.size() as u64,
        job.result.align() as u64,
        job.stack_size.unwrap_or(0) as u64,
        name.map_or(u64::MAX, |name| name.len() as u64),
    ];
    let mut body = Vec::with_capacity(FIELDS * 8 + name.map_or(0, str::len) + closure.len());
    body.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
    body.extend_from_slice(name.unwrap_or("").as_bytes());
    body.extend_from_slice(closure);
    body
}

/// The job in `body` and where its closure begins.
pub(super) fn decode(body: &[u8]) -> Option<(Job, usize)> {
    let field = |at: usize| Some(u64::from_le_bytes(body.get(at * 8..at * 8 + 8)?.try_into().ok()?));
    let layout = |at: usize| Layout::from_size_align(field(at)? as usize, field(at + 1)? as usize).ok();
    let (closure, result) = (layout(2)?, layout(4)?);
    let mut at = FIELDS * 8;
    let name = match field(7)? {
        u64::MAX => None,
        len => {
            let end = at.checked_add(usize::try_from(len).ok()?)?;
            let name = core::str::from_utf8(body.get(at..end)?).ok()?;
            at = end;
            Some(name.to_owned())
        }
    };
    if body.len() - at != closure.size() {
        return None;
    }
    let stack_size = Some(field(6)? as usize).filter(|&size| size != 0);
    let job = Job {
        run: function(field(0)?)?,
        drop_result: function(field(1)?)?,
        closure,
        result,
        name,
        stack_size,
    };
    Some((job, at))
}

/// A function pointer that the same binary has sent.
trait Function: Sized {
    fn from_address(address: u64) -> Self;
}

impl Function for unsafe fn(*mut u8, *mut u8) {
    fn from_address(address: u64) -> Self {
        // SAFETY: SHIP-1: not null (checked by `function`), and an address that the same binary,
        // loaded at the same place, used for a function of this type.
        unsafe { core::mem::transmute::<usize, Self>(address as usize) }
    }
}

impl Function for unsafe fn(*mut u8) {
    fn from_address(address: u64) -> Self {
        // SAFETY: as above.
        unsafe { core::mem::transmute::<usize, Self>(address as usize) }
    }
}

fn function<F: Function>(address: u64) -> Option<F> {
    (address != 0).then(|| F::from_address(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe fn run(_: *mut u8, _: *mut u8) {}
    unsafe fn drop_it(_: *mut u8) {}

    fn job(name: Option<&str>) -> Job {
        Job {
            run,
            drop_result: drop_it,
            closure: Layout::new::<[u64; 2]>(),
            result: Layout::new::<u16>(),
            name: name.map(str::to_owned),
            stack_size: Some(65536),
        }
    }

    #[test]
    fn a_job_comes_back_as_it_was_sent() {
        for name in [None, Some(""), Some("wörker")] {
            let body = encode(&job(name), &[7; 16]);
            let (job, at) = decode(&body).expect("valid");
            assert_eq!(job.name.as_deref(), name);
            assert_eq!((job.closure.size(), job.closure.align()), (16, 8));
            assert_eq!((job.result.size(), job.result.align()), (2, 2));
            assert_eq!(job.stack_size, Some(65536));
            assert_eq!(job.run as usize, run as *const () as usize);
            assert_eq!(&body[at..], [7; 16]);
        }
    }

    #[test]
    fn a_cut_or_grown_body_is_refused() {
        let body = encode(&job(Some("name")), &[7; 16]);
        for len in 0..body.len() {
            assert!(decode(&body[..len]).is_none(), "{len} bytes were taken for a job");
        }
        let mut longer = body;
        longer.push(0);
        assert!(decode(&longer).is_none());
    }
}

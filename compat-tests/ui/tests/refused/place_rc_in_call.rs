//! A call runs on another thread: counts of `Rc` are not for two.

use dstd::place;
use dstd::rc::Rc;

fn main() {
    let counted = Rc::new(1);
    place::call(place::here(), move || *counted);
}

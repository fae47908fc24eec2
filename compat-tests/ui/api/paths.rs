//! Every stable public path of std 1.95. Made by `cargo xtask api --write`.

#![allow(unused_imports, deprecated, clippy::all, reason = "that they are there is the test")]

use super::facade::{alloc as _, any as _, arch as _, array as _, ascii as _, assert as _, assert_eq as _, assert_ne as _, backtrace as _,
    borrow as _, boxed as _, cell as _, cfg as _, cfg_select as _, char as _, clone as _, cmp as _, collections as _, column as _,
    compile_error as _, concat as _, convert as _, dbg as _, debug_assert as _, debug_assert_eq as _, debug_assert_ne as _, default as _,
    env as _, eprint as _, eprintln as _, error as _, f32 as _, f64 as _, ffi as _, file as _, fmt as _, format as _, format_args as _,
    fs as _, future as _, hash as _, hint as _, i128 as _, i16 as _, i32 as _, i64 as _, i8 as _, include as _, include_bytes as _,
    include_str as _, io as _, is_x86_feature_detected as _, isize as _, iter as _, line as _, marker as _, matches as _, mem as _,
    module_path as _, net as _, num as _, ops as _, option as _, option_env as _, os as _, panic as _, path as _, pin as _, prelude as _,
    primitive as _, print as _, println as _, process as _, ptr as _, rc as _, result as _, slice as _, str as _, string as _,
    stringify as _, sync as _, task as _, thread as _, thread_local as _, time as _, todo as _, r#try as _, u128 as _, u16 as _, u32 as _,
    u64 as _, u8 as _, unimplemented as _, unreachable as _, usize as _, vec as _, write as _, writeln as _};
use super::facade::alloc::{GlobalAlloc as _, Layout as _, LayoutErr as _, LayoutError as _, System as _, alloc as _, alloc_zeroed as _,
    dealloc as _, realloc as _};
use super::facade::any::{Any as _, TypeId as _};
use super::facade::array::{IntoIter as _, TryFromSliceError as _, from_mut as _, from_ref as _, repeat as _};
use super::facade::ascii::{AsciiExt as _, EscapeDefault as _, escape_default as _};
use super::facade::backtrace::{Backtrace as _, BacktraceStatus as _};
use super::facade::backtrace::BacktraceStatus::{Captured as _, Disabled as _, Unsupported as _};
use super::facade::borrow::{Cow as _, ToOwned as _};
use super::facade::borrow::Cow::{Borrowed as _, Owned as _};
use super::facade::boxed::{Box as _};
use super::facade::cell::{BorrowError as _, BorrowMutError as _, Cell as _, LazyCell as _, OnceCell as _, Ref as _, RefCell as _,
    RefMut as _, UnsafeCell as _};
use super::facade::char::{CharTryFromError as _, DecodeUtf16 as _, DecodeUtf16Error as _, EscapeDebug as _, EscapeDefault as _,
    EscapeUnicode as _, MAX as _, ParseCharError as _, REPLACEMENT_CHARACTER as _, ToLowercase as _, ToUppercase as _,
    TryFromCharError as _, UNICODE_VERSION as _, decode_utf16 as _, from_digit as _, from_u32 as _, from_u32_unchecked as _};
use super::facade::clone::{Clone as _};
use super::facade::cmp::{Eq as _, Ord as _, Ordering as _, PartialEq as _, PartialOrd as _, Reverse as _};
use super::facade::cmp::Ordering::{Equal as _, Greater as _, Less as _};
use super::facade::collections::{BTreeMap as _, BTreeSet as _, BinaryHeap as _, Bound as _, HashMap as _, HashSet as _, LinkedList as _,
    TryReserveError as _, VecDeque as _, binary_heap as _, btree_map as _, btree_set as _, hash_map as _, hash_set as _, linked_list as _,
    vec_deque as _};
use super::facade::collections::Bound::{Excluded as _, Included as _, Unbounded as _};
use super::facade::collections::binary_heap::{BinaryHeap as _, Drain as _, IntoIter as _, Iter as _, PeekMut as _};
use super::facade::collections::btree_map::{BTreeMap as _, Entry as _, ExtractIf as _, IntoIter as _, IntoKeys as _, IntoValues as _,
    Iter as _, IterMut as _, Keys as _, OccupiedEntry as _, Range as _, RangeMut as _, VacantEntry as _, Values as _, ValuesMut as _};
use super::facade::collections::btree_map::Entry::{Occupied as _, Vacant as _};
use super::facade::collections::btree_set::{BTreeSet as _, Difference as _, ExtractIf as _, Intersection as _, IntoIter as _, Iter as _,
    Range as _, SymmetricDifference as _, Union as _};
use super::facade::collections::hash_map::{DefaultHasher as _, Drain as _, Entry as _, ExtractIf as _, HashMap as _, IntoIter as _,
    IntoKeys as _, IntoValues as _, Iter as _, IterMut as _, Keys as _, OccupiedEntry as _, RandomState as _, VacantEntry as _, Values as _,
    ValuesMut as _};
use super::facade::collections::hash_map::Entry::{Occupied as _, Vacant as _};
use super::facade::collections::hash_set::{Difference as _, Drain as _, ExtractIf as _, HashSet as _, Intersection as _, IntoIter as _,
    Iter as _, SymmetricDifference as _, Union as _};
use super::facade::collections::linked_list::{ExtractIf as _, IntoIter as _, Iter as _, IterMut as _, LinkedList as _};
use super::facade::collections::vec_deque::{Drain as _, IntoIter as _, Iter as _, IterMut as _, VecDeque as _};
use super::facade::convert::{Infallible as _, identity as _};
use super::facade::default::{Default as _};
use super::facade::env::{Args as _, ArgsOs as _, JoinPathsError as _, SplitPaths as _, VarError as _, Vars as _, VarsOs as _, args as _,
    args_os as _, consts as _, current_dir as _, current_exe as _, home_dir as _, join_paths as _, remove_var as _, set_current_dir as _,
    set_var as _, split_paths as _, temp_dir as _, var as _, var_os as _, vars as _, vars_os as _};
use super::facade::env::VarError::{NotPresent as _, NotUnicode as _};
use super::facade::env::consts::{ARCH as _, DLL_EXTENSION as _, DLL_PREFIX as _, DLL_SUFFIX as _, EXE_EXTENSION as _, EXE_SUFFIX as _,
    FAMILY as _, OS as _};
use super::facade::error::{Error as _};
use super::facade::f32::{DIGITS as _, EPSILON as _, INFINITY as _, MANTISSA_DIGITS as _, MAX as _, MAX_10_EXP as _, MAX_EXP as _, MIN as _,
    MIN_10_EXP as _, MIN_EXP as _, MIN_POSITIVE as _, NAN as _, NEG_INFINITY as _, RADIX as _, consts as _};
use super::facade::f32::consts::{E as _, EULER_GAMMA as _, FRAC_1_PI as _, FRAC_1_SQRT_2 as _, FRAC_2_PI as _, FRAC_2_SQRT_PI as _,
    FRAC_PI_2 as _, FRAC_PI_3 as _, FRAC_PI_4 as _, FRAC_PI_6 as _, FRAC_PI_8 as _, GOLDEN_RATIO as _, LN_10 as _, LN_2 as _, LOG10_2 as _,
    LOG10_E as _, LOG2_10 as _, LOG2_E as _, PI as _, SQRT_2 as _, TAU as _};
use super::facade::f64::{DIGITS as _, EPSILON as _, INFINITY as _, MANTISSA_DIGITS as _, MAX as _, MAX_10_EXP as _, MAX_EXP as _, MIN as _,
    MIN_10_EXP as _, MIN_EXP as _, MIN_POSITIVE as _, NAN as _, NEG_INFINITY as _, RADIX as _, consts as _};
use super::facade::f64::consts::{E as _, EULER_GAMMA as _, FRAC_1_PI as _, FRAC_1_SQRT_2 as _, FRAC_2_PI as _, FRAC_2_SQRT_PI as _,
    FRAC_PI_2 as _, FRAC_PI_3 as _, FRAC_PI_4 as _, FRAC_PI_6 as _, FRAC_PI_8 as _, GOLDEN_RATIO as _, LN_10 as _, LN_2 as _, LOG10_2 as _,
    LOG10_E as _, LOG2_10 as _, LOG2_E as _, PI as _, SQRT_2 as _, TAU as _};
use super::facade::ffi::{CStr as _, CString as _, FromBytesUntilNulError as _, FromBytesWithNulError as _, FromVecWithNulError as _,
    IntoStringError as _, NulError as _, OsStr as _, OsString as _, c_char as _, c_double as _, c_float as _, c_int as _, c_long as _,
    c_longlong as _, c_schar as _, c_short as _, c_str as _, c_uchar as _, c_uint as _, c_ulong as _, c_ulonglong as _, c_ushort as _,
    c_void as _, os_str as _};
use super::facade::ffi::FromBytesWithNulError::{InteriorNul as _, NotNulTerminated as _};
use super::facade::ffi::c_str::{CStr as _, CString as _, FromBytesUntilNulError as _, FromBytesWithNulError as _, FromVecWithNulError as _,
    IntoStringError as _, NulError as _};
use super::facade::ffi::c_str::FromBytesWithNulError::{InteriorNul as _, NotNulTerminated as _};
use super::facade::ffi::os_str::{Display as _, OsStr as _, OsString as _};
use super::facade::fmt::{Alignment as _, Arguments as _, Binary as _, Debug as _, DebugList as _, DebugMap as _, DebugSet as _,
    DebugStruct as _, DebugTuple as _, Display as _, Error as _, Formatter as _, FromFn as _, LowerExp as _, LowerHex as _, Octal as _,
    Pointer as _, Result as _, UpperExp as _, UpperHex as _, Write as _, format as _, from_fn as _, write as _};
use super::facade::fmt::Alignment::{Center as _, Left as _, Right as _};
use super::facade::fs::{DirBuilder as _, DirEntry as _, File as _, FileTimes as _, FileType as _, Metadata as _, OpenOptions as _,
    Permissions as _, ReadDir as _, TryLockError as _, canonicalize as _, copy as _, create_dir as _, create_dir_all as _, exists as _,
    hard_link as _, metadata as _, read as _, read_dir as _, read_link as _, read_to_string as _, remove_dir as _, remove_dir_all as _,
    remove_file as _, rename as _, set_permissions as _, soft_link as _, symlink_metadata as _, write as _};
use super::facade::fs::TryLockError::{Error as _, WouldBlock as _};
use super::facade::future::{Future as _, IntoFuture as _, Pending as _, PollFn as _, Ready as _, pending as _, poll_fn as _, ready as _};
use super::facade::hash::{BuildHasher as _, BuildHasherDefault as _, DefaultHasher as _, Hash as _, Hasher as _, RandomState as _,
    SipHasher as _};
use super::facade::hint::{assert_unchecked as _, black_box as _, cold_path as _, spin_loop as _, unreachable_unchecked as _};
use super::facade::i128::{MAX as _, MIN as _};
use super::facade::i16::{MAX as _, MIN as _};
use super::facade::i32::{MAX as _, MIN as _};
use super::facade::i64::{MAX as _, MIN as _};
use super::facade::i8::{MAX as _, MIN as _};
use super::facade::io::{BufRead as _, BufReader as _, BufWriter as _, Bytes as _, Chain as _, Cursor as _, Empty as _, Error as _,
    ErrorKind as _, IntoInnerError as _, IoSlice as _, IoSliceMut as _, IsTerminal as _, LineWriter as _, Lines as _, PipeReader as _,
    PipeWriter as _, Read as _, Repeat as _, Result as _, Seek as _, SeekFrom as _, Sink as _, Split as _, Stderr as _, StderrLock as _,
    Stdin as _, StdinLock as _, Stdout as _, StdoutLock as _, Take as _, Write as _, WriterPanicked as _, copy as _, empty as _, pipe as _,
    prelude as _, read_to_string as _, repeat as _, sink as _, stderr as _, stdin as _, stdout as _};
use super::facade::io::ErrorKind::{AddrInUse as _, AddrNotAvailable as _, AlreadyExists as _, ArgumentListTooLong as _, BrokenPipe as _,
    ConnectionAborted as _, ConnectionRefused as _, ConnectionReset as _, CrossesDevices as _, Deadlock as _, DirectoryNotEmpty as _,
    ExecutableFileBusy as _, FileTooLarge as _, HostUnreachable as _, Interrupted as _, InvalidData as _, InvalidFilename as _,
    InvalidInput as _, IsADirectory as _, NetworkDown as _, NetworkUnreachable as _, NotADirectory as _, NotConnected as _, NotFound as _,
    NotSeekable as _, Other as _, OutOfMemory as _, PermissionDenied as _, QuotaExceeded as _, ReadOnlyFilesystem as _, ResourceBusy as _,
    StaleNetworkFileHandle as _, StorageFull as _, TimedOut as _, TooManyLinks as _, UnexpectedEof as _, Unsupported as _, WouldBlock as _,
    WriteZero as _};
use super::facade::io::SeekFrom::{Current as _, End as _, Start as _};
use super::facade::io::prelude::{BufRead as _, Read as _, Seek as _, Write as _};
use super::facade::isize::{MAX as _, MIN as _};
use super::facade::iter::{Chain as _, Cloned as _, Copied as _, Cycle as _, DoubleEndedIterator as _, Empty as _, Enumerate as _,
    ExactSizeIterator as _, Extend as _, Filter as _, FilterMap as _, FlatMap as _, Flatten as _, FromFn as _, FromIterator as _, Fuse as _,
    FusedIterator as _, Inspect as _, Map as _, MapWhile as _, Once as _, OnceWith as _, Peekable as _, Product as _, Repeat as _,
    RepeatN as _, RepeatWith as _, Rev as _, Scan as _, Skip as _, SkipWhile as _, StepBy as _, Successors as _, Sum as _, Take as _,
    TakeWhile as _, Zip as _, chain as _, empty as _, from_fn as _, once as _, once_with as _, repeat as _, repeat_n as _, repeat_with as _,
    successors as _, zip as _};
use super::facade::marker::{Copy as _, PhantomData as _, PhantomPinned as _, Send as _, Sized as _, Sync as _, Unpin as _};
use super::facade::mem::{Discriminant as _, ManuallyDrop as _, MaybeUninit as _, align_of as _, align_of_val as _, discriminant as _,
    forget as _, min_align_of as _, min_align_of_val as _, needs_drop as _, offset_of as _, replace as _, size_of as _, size_of_val as _,
    swap as _, transmute as _, transmute_copy as _, uninitialized as _, zeroed as _};
use super::facade::net::{AddrParseError as _, Incoming as _, IpAddr as _, Ipv4Addr as _, Ipv6Addr as _, Shutdown as _, SocketAddr as _,
    SocketAddrV4 as _, SocketAddrV6 as _, TcpListener as _, TcpStream as _, ToSocketAddrs as _, UdpSocket as _};
use super::facade::net::IpAddr::{V4 as _, V6 as _};
use super::facade::net::Shutdown::{Both as _, Read as _, Write as _};
use super::facade::net::SocketAddr::{V4 as _, V6 as _};
use super::facade::num::{FpCategory as _, IntErrorKind as _, NonZero as _, NonZeroI128 as _, NonZeroI16 as _, NonZeroI32 as _,
    NonZeroI64 as _, NonZeroI8 as _, NonZeroIsize as _, NonZeroU128 as _, NonZeroU16 as _, NonZeroU32 as _, NonZeroU64 as _, NonZeroU8 as _,
    NonZeroUsize as _, ParseFloatError as _, ParseIntError as _, Saturating as _, TryFromIntError as _, Wrapping as _};
use super::facade::num::FpCategory::{Infinite as _, Nan as _, Normal as _, Subnormal as _, Zero as _};
use super::facade::num::IntErrorKind::{Empty as _, InvalidDigit as _, NegOverflow as _, PosOverflow as _, Zero as _};
use super::facade::ops::{Bound as _, ControlFlow as _, Range as _, RangeFrom as _, RangeFull as _, RangeInclusive as _, RangeTo as _,
    RangeToInclusive as _};
use super::facade::ops::Bound::{Excluded as _, Included as _, Unbounded as _};
use super::facade::ops::ControlFlow::{Break as _, Continue as _};
use super::facade::option::{IntoIter as _, Iter as _, IterMut as _, Option as _};
use super::facade::option::Option::{None as _, Some as _};
use super::facade::os::{fd as _, linux as _, raw as _, unix as _};
use super::facade::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd as _, FromRawFd as _, IntoRawFd as _, OwnedFd as _, RawFd as _};
use super::facade::os::linux::{fs as _, net as _, raw as _};
use super::facade::os::linux::fs::{MetadataExt as _};
use super::facade::os::linux::net::{SocketAddrExt as _, TcpStreamExt as _};
use super::facade::os::linux::raw::{blkcnt_t as _, blksize_t as _, dev_t as _, ino_t as _, mode_t as _, nlink_t as _, off_t as _,
    pthread_t as _, stat as _, time_t as _};
use super::facade::os::raw::{c_char as _, c_double as _, c_float as _, c_int as _, c_long as _, c_longlong as _, c_schar as _, c_short as _,
    c_uchar as _, c_uint as _, c_ulong as _, c_ulonglong as _, c_ushort as _, c_void as _};
use super::facade::os::unix::{ffi as _, fs as _, io as _, net as _, prelude as _, process as _, raw as _, thread as _};
use super::facade::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use super::facade::os::unix::fs::{DirBuilderExt as _, DirEntryExt as _, FileExt as _, FileTypeExt as _, MetadataExt as _,
    OpenOptionsExt as _, PermissionsExt as _, chown as _, chroot as _, fchown as _, lchown as _, symlink as _};
use super::facade::os::unix::io::{AsFd as _, AsRawFd as _, BorrowedFd as _, FromRawFd as _, IntoRawFd as _, OwnedFd as _, RawFd as _};
use super::facade::os::unix::net::{Incoming as _, SocketAddr as _, UnixDatagram as _, UnixListener as _, UnixStream as _};
use super::facade::os::unix::prelude::{AsFd as _, AsRawFd as _, BorrowedFd as _, CommandExt as _, DirEntryExt as _, ExitStatusExt as _,
    FileExt as _, FileTypeExt as _, FromRawFd as _, IntoRawFd as _, JoinHandleExt as _, MetadataExt as _, OpenOptionsExt as _,
    OsStrExt as _, OsStringExt as _, OwnedFd as _, PermissionsExt as _, RawFd as _};
use super::facade::os::unix::process::{CommandExt as _, ExitStatusExt as _, parent_id as _};
use super::facade::os::unix::raw::{blkcnt_t as _, blksize_t as _, dev_t as _, gid_t as _, ino_t as _, mode_t as _, nlink_t as _, off_t as _,
    pid_t as _, pthread_t as _, time_t as _, uid_t as _};
use super::facade::os::unix::thread::{JoinHandleExt as _, RawPthread as _};
use super::facade::panic::{AssertUnwindSafe as _, Location as _, PanicHookInfo as _, PanicInfo as _, RefUnwindSafe as _, UnwindSafe as _,
    catch_unwind as _, panic_any as _, resume_unwind as _, set_hook as _, take_hook as _};
use super::facade::path::{Ancestors as _, Component as _, Components as _, Display as _, Iter as _, MAIN_SEPARATOR as _,
    MAIN_SEPARATOR_STR as _, Path as _, PathBuf as _, Prefix as _, PrefixComponent as _, StripPrefixError as _, absolute as _,
    is_separator as _};
use super::facade::path::Component::{CurDir as _, Normal as _, ParentDir as _, Prefix as _, RootDir as _};
use super::facade::path::Prefix::{DeviceNS as _, Disk as _, UNC as _, Verbatim as _, VerbatimDisk as _, VerbatimUNC as _};
use super::facade::pin::{Pin as _, pin as _};
use super::facade::prelude::{rust_2015 as _, rust_2018 as _, rust_2021 as _, rust_2024 as _, v1 as _};
use super::facade::prelude::rust_2015::{AsyncFn as _, AsyncFnMut as _, AsyncFnOnce as _, Box as _, Clone as _, Copy as _, Debug as _,
    Default as _, DoubleEndedIterator as _, Eq as _, Err as _, ExactSizeIterator as _, Extend as _, Hash as _, None as _, Ok as _,
    Option as _, Ord as _, PartialEq as _, PartialOrd as _, Result as _, Send as _, Sized as _, Some as _, String as _, Sync as _,
    ToOwned as _, ToString as _, Unpin as _, Vec as _, align_of as _, align_of_val as _, assert as _, assert_eq as _, assert_ne as _,
    cfg as _, cfg_select as _, column as _, compile_error as _, concat as _, dbg as _, debug_assert as _, debug_assert_eq as _,
    debug_assert_ne as _, derive as _, env as _, eprint as _, eprintln as _, file as _, format as _, format_args as _,
    global_allocator as _, include as _, include_bytes as _, include_str as _, is_x86_feature_detected as _, line as _, matches as _,
    module_path as _, option_env as _, panic as _, print as _, println as _, size_of as _, size_of_val as _, stringify as _, test as _,
    thread_local as _, todo as _, r#try as _, unimplemented as _, unreachable as _, vec as _, write as _, writeln as _};
use super::facade::prelude::rust_2015::Option::{None as _, Some as _};
use super::facade::prelude::rust_2015::Result::{Err as _, Ok as _};
use super::facade::prelude::rust_2018::{AsyncFn as _, AsyncFnMut as _, AsyncFnOnce as _, Box as _, Clone as _, Copy as _, Debug as _,
    Default as _, DoubleEndedIterator as _, Eq as _, Err as _, ExactSizeIterator as _, Extend as _, Hash as _, None as _, Ok as _,
    Option as _, Ord as _, PartialEq as _, PartialOrd as _, Result as _, Send as _, Sized as _, Some as _, String as _, Sync as _,
    ToOwned as _, ToString as _, Unpin as _, Vec as _, align_of as _, align_of_val as _, assert as _, assert_eq as _, assert_ne as _,
    cfg as _, cfg_select as _, column as _, compile_error as _, concat as _, dbg as _, debug_assert as _, debug_assert_eq as _,
    debug_assert_ne as _, derive as _, env as _, eprint as _, eprintln as _, file as _, format as _, format_args as _,
    global_allocator as _, include as _, include_bytes as _, include_str as _, is_x86_feature_detected as _, line as _, matches as _,
    module_path as _, option_env as _, panic as _, print as _, println as _, size_of as _, size_of_val as _, stringify as _, test as _,
    thread_local as _, todo as _, r#try as _, unimplemented as _, unreachable as _, vec as _, write as _, writeln as _};
use super::facade::prelude::rust_2018::Option::{None as _, Some as _};
use super::facade::prelude::rust_2018::Result::{Err as _, Ok as _};
use super::facade::prelude::rust_2021::{AsyncFn as _, AsyncFnMut as _, AsyncFnOnce as _, Box as _, Clone as _, Copy as _, Debug as _,
    Default as _, DoubleEndedIterator as _, Eq as _, Err as _, ExactSizeIterator as _, Extend as _, FromIterator as _, Hash as _, None as _,
    Ok as _, Option as _, Ord as _, PartialEq as _, PartialOrd as _, Result as _, Send as _, Sized as _, Some as _, String as _, Sync as _,
    ToOwned as _, ToString as _, Unpin as _, Vec as _, align_of as _, align_of_val as _, assert as _, assert_eq as _, assert_ne as _,
    cfg as _, cfg_select as _, column as _, compile_error as _, concat as _, dbg as _, debug_assert as _, debug_assert_eq as _,
    debug_assert_ne as _, derive as _, env as _, eprint as _, eprintln as _, file as _, format as _, format_args as _,
    global_allocator as _, include as _, include_bytes as _, include_str as _, is_x86_feature_detected as _, line as _, matches as _,
    module_path as _, option_env as _, panic as _, print as _, println as _, size_of as _, size_of_val as _, stringify as _, test as _,
    thread_local as _, todo as _, r#try as _, unimplemented as _, unreachable as _, vec as _, write as _, writeln as _};
use super::facade::prelude::rust_2021::Option::{None as _, Some as _};
use super::facade::prelude::rust_2021::Result::{Err as _, Ok as _};
use super::facade::prelude::rust_2024::{AsyncFn as _, AsyncFnMut as _, AsyncFnOnce as _, Box as _, Clone as _, Copy as _, Debug as _,
    Default as _, DoubleEndedIterator as _, Eq as _, Err as _, ExactSizeIterator as _, Extend as _, FromIterator as _, Future as _,
    Hash as _, IntoFuture as _, None as _, Ok as _, Option as _, Ord as _, PartialEq as _, PartialOrd as _, Result as _, Send as _,
    Sized as _, Some as _, String as _, Sync as _, ToOwned as _, ToString as _, Unpin as _, Vec as _, align_of as _, align_of_val as _,
    assert as _, assert_eq as _, assert_ne as _, cfg as _, cfg_select as _, column as _, compile_error as _, concat as _, dbg as _,
    debug_assert as _, debug_assert_eq as _, debug_assert_ne as _, derive as _, env as _, eprint as _, eprintln as _, file as _,
    format as _, format_args as _, global_allocator as _, include as _, include_bytes as _, include_str as _, is_x86_feature_detected as _,
    line as _, matches as _, module_path as _, option_env as _, panic as _, print as _, println as _, size_of as _, size_of_val as _,
    stringify as _, test as _, thread_local as _, todo as _, r#try as _, unimplemented as _, unreachable as _, vec as _, write as _,
    writeln as _};
use super::facade::prelude::rust_2024::Option::{None as _, Some as _};
use super::facade::prelude::rust_2024::Result::{Err as _, Ok as _};
use super::facade::prelude::v1::{AsyncFn as _, AsyncFnMut as _, AsyncFnOnce as _, Box as _, Clone as _, Copy as _, Debug as _, Default as _,
    DoubleEndedIterator as _, Eq as _, Err as _, ExactSizeIterator as _, Extend as _, Hash as _, None as _, Ok as _, Option as _, Ord as _,
    PartialEq as _, PartialOrd as _, Result as _, Send as _, Sized as _, Some as _, String as _, Sync as _, ToOwned as _, ToString as _,
    Unpin as _, Vec as _, align_of as _, align_of_val as _, assert as _, assert_eq as _, assert_ne as _, cfg as _, cfg_select as _,
    column as _, compile_error as _, concat as _, dbg as _, debug_assert as _, debug_assert_eq as _, debug_assert_ne as _, derive as _,
    env as _, eprint as _, eprintln as _, file as _, format as _, format_args as _, global_allocator as _, include as _, include_bytes as _,
    include_str as _, is_x86_feature_detected as _, line as _, matches as _, module_path as _, option_env as _, panic as _, print as _,
    println as _, size_of as _, size_of_val as _, stringify as _, test as _, thread_local as _, todo as _, r#try as _, unimplemented as _,
    unreachable as _, vec as _, write as _, writeln as _};
use super::facade::prelude::v1::Option::{None as _, Some as _};
use super::facade::prelude::v1::Result::{Err as _, Ok as _};
use super::facade::primitive::{bool as _, char as _, f32 as _, f64 as _, i128 as _, i16 as _, i32 as _, i64 as _, i8 as _, isize as _,
    str as _, u128 as _, u16 as _, u32 as _, u64 as _, u8 as _, usize as _};
use super::facade::process::{Child as _, ChildStderr as _, ChildStdin as _, ChildStdout as _, Command as _, CommandArgs as _,
    CommandEnvs as _, ExitCode as _, ExitStatus as _, Output as _, Stdio as _, Termination as _, abort as _, exit as _, id as _};
use super::facade::ptr::{NonNull as _, addr_eq as _, addr_of as _, addr_of_mut as _, copy as _, copy_nonoverlapping as _, dangling as _,
    dangling_mut as _, eq as _, fn_addr_eq as _, from_mut as _, from_ref as _, hash as _, null as _, null_mut as _, read as _,
    read_unaligned as _, read_volatile as _, replace as _, slice_from_raw_parts as _, slice_from_raw_parts_mut as _, swap as _,
    swap_nonoverlapping as _, with_exposed_provenance as _, with_exposed_provenance_mut as _, without_provenance as _,
    without_provenance_mut as _, write as _, write_bytes as _, write_unaligned as _, write_volatile as _};
use super::facade::rc::{Rc as _, Weak as _};
use super::facade::result::{IntoIter as _, Iter as _, IterMut as _, Result as _};
use super::facade::result::Result::{Err as _, Ok as _};
use super::facade::slice::{ArrayWindows as _, ChunkBy as _, ChunkByMut as _, Chunks as _, ChunksExact as _, ChunksExactMut as _,
    ChunksMut as _, EscapeAscii as _, GetDisjointMutError as _, Iter as _, IterMut as _, RChunks as _, RChunksExact as _,
    RChunksExactMut as _, RChunksMut as _, RSplit as _, RSplitMut as _, RSplitN as _, RSplitNMut as _, Split as _, SplitInclusive as _,
    SplitInclusiveMut as _, SplitMut as _, SplitN as _, SplitNMut as _, Windows as _, from_mut as _, from_raw_parts as _,
    from_raw_parts_mut as _, from_ref as _};
use super::facade::slice::GetDisjointMutError::{IndexOutOfBounds as _, OverlappingIndices as _};
use super::facade::str::{Bytes as _, CharIndices as _, Chars as _, EncodeUtf16 as _, EscapeDebug as _, EscapeDefault as _,
    EscapeUnicode as _, Lines as _, LinesAny as _, MatchIndices as _, Matches as _, ParseBoolError as _, RMatchIndices as _, RMatches as _,
    RSplit as _, RSplitN as _, RSplitTerminator as _, Split as _, SplitAsciiWhitespace as _, SplitInclusive as _, SplitN as _,
    SplitTerminator as _, SplitWhitespace as _, Utf8Chunk as _, Utf8Chunks as _, Utf8Error as _, from_boxed_utf8_unchecked as _,
    from_utf8 as _, from_utf8_mut as _, from_utf8_unchecked as _, from_utf8_unchecked_mut as _};
use super::facade::string::{Drain as _, FromUtf16Error as _, FromUtf8Error as _, ParseError as _, String as _, ToString as _};
use super::facade::sync::{Arc as _, Barrier as _, BarrierWaitResult as _, Condvar as _, LazyLock as _, LockResult as _, Mutex as _,
    MutexGuard as _, ONCE_INIT as _, Once as _, OnceLock as _, OnceState as _, PoisonError as _, RwLock as _, RwLockReadGuard as _,
    RwLockWriteGuard as _, TryLockError as _, TryLockResult as _, WaitTimeoutResult as _, Weak as _, atomic as _, mpsc as _};
use super::facade::sync::TryLockError::{Poisoned as _, WouldBlock as _};
use super::facade::sync::atomic::{ATOMIC_BOOL_INIT as _, ATOMIC_ISIZE_INIT as _, ATOMIC_USIZE_INIT as _, AtomicBool as _, AtomicI16 as _,
    AtomicI32 as _, AtomicI64 as _, AtomicI8 as _, AtomicIsize as _, AtomicPtr as _, AtomicU16 as _, AtomicU32 as _, AtomicU64 as _,
    AtomicU8 as _, AtomicUsize as _, Ordering as _, compiler_fence as _, fence as _, spin_loop_hint as _};
use super::facade::sync::atomic::Ordering::{AcqRel as _, Acquire as _, Relaxed as _, Release as _, SeqCst as _};
use super::facade::sync::mpsc::{IntoIter as _, Iter as _, Receiver as _, RecvError as _, RecvTimeoutError as _, SendError as _, Sender as _,
    SyncSender as _, TryIter as _, TryRecvError as _, TrySendError as _, channel as _, sync_channel as _};
use super::facade::sync::mpsc::RecvTimeoutError::{Disconnected as _, Timeout as _};
use super::facade::sync::mpsc::TryRecvError::{Disconnected as _, Empty as _};
use super::facade::sync::mpsc::TrySendError::{Disconnected as _, Full as _};
use super::facade::task::{Context as _, Poll as _, RawWaker as _, RawWakerVTable as _, Wake as _, Waker as _, ready as _};
use super::facade::task::Poll::{Pending as _, Ready as _};
use super::facade::thread::{AccessError as _, Builder as _, JoinHandle as _, LocalKey as _, Result as _, Scope as _, ScopedJoinHandle as _,
    Thread as _, ThreadId as _, available_parallelism as _, current as _, panicking as _, park as _, park_timeout as _,
    park_timeout_ms as _, scope as _, sleep as _, sleep_ms as _, spawn as _, yield_now as _};
use super::facade::time::{Duration as _, Instant as _, SystemTime as _, SystemTimeError as _, TryFromFloatSecsError as _, UNIX_EPOCH as _};
use super::facade::u128::{MAX as _, MIN as _};
use super::facade::u16::{MAX as _, MIN as _};
use super::facade::u32::{MAX as _, MIN as _};
use super::facade::u64::{MAX as _, MIN as _};
use super::facade::u8::{MAX as _, MIN as _};
use super::facade::usize::{MAX as _, MIN as _};
use super::facade::vec::{Drain as _, ExtractIf as _, IntoIter as _, Splice as _, Vec as _, from_elem as _};

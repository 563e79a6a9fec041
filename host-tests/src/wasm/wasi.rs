//! WASI preview 1 as Envoy offers it, under both of its names: environment, random bytes, clocks, and
//! a standard output that is the log. There are no files and no sockets: the other functions exist,
//! so that modules link, and answer what Envoy 1.40 answers.

use wasmtime::{Caller, Linker};

use super::abi::{Answer, Cx, Fail, Status, with};
use super::guest::GuestState;
use super::recorder::Argument;

/// The module's name, today's and the one before.
const MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// WASI's errno values.
const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const EXIST: u32 = 20;
const FAULT: u32 = 21;
const INVAL: u32 = 28;
const NOENT: u32 = 44;
const NOSYS: u32 = 52;
const NOTSUP: u32 = 58;

/// What `random_get` fills at most in one call (E32).
const MOST_RANDOM: u32 = 64 * 1024;

/// What `fd_write` takes at most in one call; it says how much it took, as WASI has it.
const MOST_BUFFERS: u32 = 1024;
const MOST_TEXT: usize = 1 << 20;

macro_rules! wasi {
    ($linker:ident, $module:ident: $($name:ident ($($arg:ident $(: $type:ty)?),*) $body:expr;)*) => {
        $($linker.func_wrap(
            $module,
            stringify!($name),
            |caller: Caller<'_, GuestState>, $($arg: wasi!(@type $($type)?)),*| {
                let arguments: &[Argument] = &[$((stringify!($arg), i128::from($arg))),*];
                with(caller, stringify!($name), arguments, |cx| {
                    let run: fn(&mut Cx<'_>, $(wasi!(@type $($type)?)),*) -> Answer<u32> = $body;
                    errno(run(cx, $($arg),*))
                })
            },
        )?;)*
    };
    (@type) => { u32 };
    (@type $type:ty) => { $type };
}

/// Functions that only answer: one errno always, or one for standard output and error and
/// [`BADF`] for other descriptors, which are their first argument.
macro_rules! stubs {
    ($linker:ident, $module:ident: $($errno:ident $(of $fd:ident)?: $name:ident
        ($($arg:ident $(: $type:ty)?),*);)*) => {
        $($linker.func_wrap(
            $module,
            stringify!($name),
            |caller: Caller<'_, GuestState>, $($arg: wasi!(@type $($type)?)),*| {
                let arguments: &[Argument] = &[$((stringify!($arg), i128::from($arg))),*];
                with(caller, stringify!($name), arguments, |_| {
                    $(if !is_output($fd) { return Ok(BADF); })?
                    Ok($errno)
                })
            },
        )?;)*
    };
}

/// Defines WASI's functions; one that is missing here is a link error with its name.
pub(crate) fn link(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    for module in MODULES {
        wasi! { linker, module:
            args_sizes_get(to_count, to_size) |cx, to_count, to_size| {
                cx.put_u32(to_count, 0)?;
                cx.put_u32(to_size, 0)?;
                Ok(SUCCESS)
            };
            environ_sizes_get(to_count, to_size) environ_sizes_get;
            environ_get(to_pointers, to_bytes) environ_get;
            clock_time_get(clock, precision: u64, to) clock_time_get;
            clock_res_get(clock, to) clock_res_get;
            random_get(to, size) random_get;
            fd_write(fd, buffers, count, to_written) fd_write;
            fd_pwrite(fd, buffers, count, offset: u64, to_written)
                |cx, fd, buffers, count, _, to_written| fd_write(cx, fd, buffers, count, to_written);
            fd_tell(fd, to) |cx, fd, to| {
                if !is_output(fd) {
                    return Ok(BADF);
                }
                cx.put_u64(to, 0)?;
                Ok(SUCCESS)
            };
            fd_fdstat_get(fd, to) fd_fdstat_get;
            fd_renumber(from, to) |_, from, to| {
                Ok(if is_output(from) && is_output(to) { NOTSUP } else { BADF })
            };
            poll_oneoff(subscriptions, events, count, to_count) |cx, _, _, _, to_count| {
                cx.put_u32(to_count, 0)?;
                Ok(SUCCESS)
            };
        }
        stubs! { linker, module:
            SUCCESS: args_get(pointers, bytes);
            SUCCESS: fd_advise(fd, offset: u64, size: u64, advice);
            SUCCESS: fd_close(fd);
            SUCCESS: fd_seek(fd, offset: u64, whence, to);
            SUCCESS: sched_yield();
            SUCCESS of fd: fd_allocate(fd, offset: u64, size: u64);
            SUCCESS of fd: fd_datasync(fd);
            SUCCESS of fd: fd_fdstat_set_rights(fd, base: u64, inheriting: u64);
            SUCCESS of fd: fd_filestat_set_size(fd, size: u64);
            SUCCESS of fd: fd_filestat_set_times(fd, access: u64, modified: u64, flags);
            SUCCESS of fd: fd_sync(fd);
            BADF: fd_filestat_get(fd, to);
            BADF: fd_prestat_get(fd, to);
            NOSYS: fd_fdstat_set_flags(fd, flags);
            NOSYS: fd_pread(fd, buffers, count, offset: u64, to_read);
            NOSYS: fd_prestat_dir_name(fd, to, size);
            NOSYS: fd_read(fd, buffers, count, to_read);
            EXIST: fd_readdir(fd, to, size, cookie: u64, to_used);
            NOENT: path_open(fd, flags, path, path_size, open, base: u64, inheriting: u64, fd_flags, to);
            NOTSUP: path_create_directory(fd, path, path_size);
            NOTSUP: path_filestat_get(fd, flags, path, path_size, to);
            NOTSUP: path_filestat_set_times(fd, flags, path, path_size, access: u64, modified: u64, set);
            NOTSUP: path_readlink(fd, path, path_size, to, size, to_used);
            NOTSUP: path_remove_directory(fd, path, path_size);
            NOTSUP: path_rename(fd, path, path_size, new_fd, new_path, new_path_size);
            NOTSUP: path_unlink_file(fd, path, path_size);
            NOTSUP: sock_accept(fd, flags, to);
            NOTSUP: sock_recv(fd, buffers, count, flags, to_read, to_flags);
            NOTSUP: sock_send(fd, buffers, count, flags, to_written);
            NOTSUP: sock_shutdown(fd, how);
            // One parameter fewer than in the standard: a module that imports the right ones does not
            // link in Envoy either.
            NOTSUP: path_link(fd, flags, path, path_size, new_fd, new_path);
            NOTSUP: path_symlink(path, path_size, fd, new_path);
        }
        // It returns: the guest runs into what is behind, an `unreachable` in Rust, and the text of
        // that trap names the code.
        linker.func_wrap(module, "proc_exit", |caller: Caller<'_, GuestState>, code: u32| {
            with(caller, "proc_exit", &[("code", code.into())], |cx| {
                cx.state_mut().exited = Some(code);
                Ok(SUCCESS)
            })
            .map(|_| ())
        })?;
    }
    Ok(())
}

/// Whether `fd` is standard output or standard error, the only files there are.
fn is_output(fd: u32) -> bool {
    matches!(fd, 1 | 2)
}

fn errno(answer: Answer<u32>) -> wasmtime::Result<u32> {
    match answer {
        Ok(errno) => Ok(errno),
        Err(Fail::Status(Status::InvalidMemoryAccess)) => Ok(FAULT),
        Err(Fail::Status(_)) => Ok(INVAL),
        Err(Fail::Trap(error)) => Err(error),
    }
}

fn environ_sizes_get(cx: &mut Cx<'_>, to_count: u32, to_size: u32) -> Answer<u32> {
    let environment = &cx.state().vm.environment;
    let size: usize = environment.iter().map(|variable| variable.len() + 1).sum();
    let count = u32::try_from(environment.len()).unwrap_or(u32::MAX);
    cx.put_u32(to_count, count)?;
    cx.put_u32(to_size, u32::try_from(size).unwrap_or(u32::MAX))?;
    Ok(SUCCESS)
}

fn environ_get(cx: &mut Cx<'_>, mut to_pointers: u32, mut to_bytes: u32) -> Answer<u32> {
    for mut variable in cx.state().vm.environment.clone() {
        variable.push(0);
        cx.put_u32(to_pointers, to_bytes)?;
        cx.put(to_bytes, &variable)?;
        to_pointers = to_pointers.wrapping_add(4);
        to_bytes = to_bytes.wrapping_add(u32::try_from(variable.len()).unwrap_or(0));
    }
    Ok(SUCCESS)
}

/// Neither of a known type nor with flags; the right to write.
fn fd_fdstat_get(cx: &mut Cx<'_>, fd: u32, to: u32) -> Answer<u32> {
    const RIGHT_TO_WRITE: u64 = 64;
    if !is_output(fd) {
        return Ok(BADF);
    }
    cx.put_u64(to, 0)?;
    cx.put_u64(to.wrapping_add(8), RIGHT_TO_WRITE)?;
    cx.put_u64(to.wrapping_add(16), 0)?;
    Ok(SUCCESS)
}

/// A nanosecond, of both clocks.
fn clock_res_get(cx: &mut Cx<'_>, clock: u32, to: u32) -> Answer<u32> {
    if clock > 1 {
        return Ok(NOTSUP);
    }
    cx.put_u64(to, 1)?;
    Ok(SUCCESS)
}

/// Clocks 0 (realtime) and 1 (monotonic), both the virtual one.
fn clock_time_get(cx: &mut Cx<'_>, clock: u32, _: u64, to: u32) -> Answer<u32> {
    if clock > 1 {
        return Ok(NOTSUP);
    }
    let now = cx.state().world.borrow().now;
    cx.put_u64(to, now)?;
    Ok(SUCCESS)
}

fn random_get(cx: &mut Cx<'_>, to: u32, size: u32) -> Answer<u32> {
    if size > MOST_RANDOM {
        return Ok(INVAL);
    }
    let mut bytes = vec![0; size as usize];
    cx.state().world.borrow_mut().fill_random(&mut bytes);
    cx.put(to, &bytes)?;
    Ok(SUCCESS)
}

/// Standard output is the log at info, standard error at error; one newline at the end is dropped
/// (E31).
fn fd_write(cx: &mut Cx<'_>, fd: u32, buffers: u32, count: u32, to_written: u32) -> Answer<u32> {
    let level = match fd {
        1 => 2,
        2 => 4,
        _ => return Ok(BADF),
    };
    let mut text = Vec::new();
    for i in 0..count.min(MOST_BUFFERS) {
        let entry = cx.bytes(buffers.wrapping_add(i * 8), 8)?;
        let number = |at: usize| {
            let four = entry.get(at..at + 4).and_then(|b| b.try_into().ok());
            four.map_or(0, u32::from_le_bytes)
        };
        let (at, size) = (number(0), number(4));
        if size > 0 {
            let bytes = cx.bytes(at, size)?;
            let room = MOST_TEXT.saturating_sub(text.len());
            text.extend(bytes.iter().take(room));
        }
    }
    let written = u32::try_from(text.len()).unwrap_or(u32::MAX);
    cx.record(|recorder| recorder.read(text.len()));
    if !text.is_empty() {
        let line = text.strip_suffix(b"\n").unwrap_or(&text);
        cx.state().log(level, &String::from_utf8_lossy(line));
    }
    cx.put_u32(to_written, written)?;
    Ok(SUCCESS)
}

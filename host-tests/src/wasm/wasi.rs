//! WASI preview 1 as proxy-wasm hosts offer it: environment, random bytes, clocks, and a standard
//! output that is the log. Every other function exists and answers as those hosts do.

use wasmtime::{Caller, Linker};

use super::abi::{Answer, Cx, Fail, Status, with};
use super::guest::GuestState;
use super::recorder::Argument;

/// WASI's errno values.
const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const FAULT: u32 = 21;
const INVAL: u32 = 28;
const NOSYS: u32 = 52;
const NOTSUP: u32 = 58;

/// What `random_get` fills at most in one call (E32).
const MOST_RANDOM: u32 = 64 * 1024;

/// What `fd_write` takes at most in one call.
const MOST_BUFFERS: u32 = 1024;

macro_rules! wasi {
    ($linker:ident: $($name:ident ($($arg:ident $(: $type:ty)?),*) $body:expr;)*) => {
        $($linker.func_wrap(
            "wasi_snapshot_preview1",
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

/// Defines WASI's functions; one that is missing here is a link error with its name.
pub(crate) fn link(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    wasi! { linker:
        args_sizes_get(to_count, to_size) |cx, to_count, to_size| {
            cx.put_u32(to_count, 0)?;
            cx.put_u32(to_size, 0)?;
            Ok(SUCCESS)
        };
        args_get(a, b) |_, _, _| Ok(SUCCESS);
        environ_sizes_get(to_count, to_size) environ_sizes_get;
        environ_get(to_pointers, to_bytes) environ_get;
        clock_time_get(clock, precision: u64, to) clock_time_get;
        random_get(to, size) random_get;
        fd_write(fd, buffers, count, to_written) fd_write;
        fd_read(a, b, c, d) |_, _, _, _, _| Ok(NOTSUP);
        fd_seek(a, b: i64, c, d) |_, _, _, _, _| Ok(NOTSUP);
        fd_close(a) |_, _| Ok(NOTSUP);
        fd_fdstat_get(fd, to) |cx, fd, to| {
            // Envoy only knows standard output and standard error: character devices that append.
            if fd != 1 && fd != 2 {
                return Ok(BADF);
            }
            let mut stat = [0; 24];
            stat[..2].copy_from_slice(&[2, 1]);
            cx.put(to, &stat)?;
            Ok(SUCCESS)
        };
        fd_fdstat_set_flags(a, b) |_, _, _| Ok(NOSYS);
        fd_prestat_get(a, b) |_, _, _| Ok(BADF);
        fd_prestat_dir_name(a, b, c) |_, _, _, _| Ok(NOSYS);
        path_open(a, b, c, d, e, f: u64, g: u64, h, i) |_, _, _, _, _, _, _, _, _, _| Ok(NOSYS);
        path_create_directory(a, b, c) |_, _, _, _| Ok(NOSYS);
        path_remove_directory(a, b, c) |_, _, _, _| Ok(NOSYS);
        path_unlink_file(a, b, c) |_, _, _, _| Ok(NOSYS);
        path_rename(a, b, c, d, e, f) |_, _, _, _, _, _, _| Ok(NOSYS);
        path_filestat_get(a, b, c, d, e) |_, _, _, _, _, _| Ok(NOSYS);
        path_link(a, b, c, d, e, f, g) |_, _, _, _, _, _, _, _| Ok(NOSYS);
        poll_oneoff(a, b, c, d) |_, _, _, _, _| Ok(NOSYS);
        sched_yield() |_| Ok(SUCCESS);
    }
    // Logged, then it returns: the guest runs into what is behind, an `unreachable` in Rust.
    linker.func_wrap(
        "wasi_snapshot_preview1",
        "proc_exit",
        |caller: Caller<'_, GuestState>, code: u32| {
            caller.data().log(4, &format!("wasi_snapshot_preview1.proc_exit({code}) called"));
        },
    )?;
    Ok(())
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
        text.extend_from_slice(cx.bytes(at, size)?);
    }
    let written = u32::try_from(text.len()).unwrap_or(u32::MAX);
    cx.record(|recorder| recorder.read(text.len()));
    let line = text.strip_suffix(b"\n").unwrap_or(&text);
    if !line.is_empty() {
        cx.state().log(level, &String::from_utf8_lossy(line));
    }
    cx.put_u32(to_written, written)?;
    Ok(SUCCESS)
}

//! The part of WASI preview 1 that Envoy gives: output goes to the log, there are no files, random is seeded.

use crate::memory::{Answer, Fault, Host, Stop};
use crate::outcome::TrapKind;
use crate::status::Level;

use super::system;

const BAD_FILE: Fault = Fault::Refused(8);
const BAD_ADDRESS: Fault = Fault::Refused(21);
const NOT_SUPPORTED: Fault = Fault::Refused(58);
const NO_SYSTEM_CALL: Fault = Fault::Refused(52);
const STDOUT: u32 = 1;
const STDERR: u32 = 2;
/// Vectors per call, as on Linux.
const VECTORS_MAX: u32 = 1024;
/// Bytes of randomness per call, as in Envoy.
const RANDOM_MAX: u32 = 64 << 10;

pub(super) fn fd_write(
    host: &mut Host<'_>,
    fd: u32,
    vectors: u32,
    count: u32,
    written_out: u32,
) -> Answer {
    let level = match fd {
        STDOUT => Level::Info,
        STDERR => Level::Error,
        _ => return Err(BAD_FILE),
    };
    let mut message = Vec::new();
    for index in 0..count.min(VECTORS_MAX) {
        let vector = vectors
            .checked_add(index.saturating_mul(8))
            .ok_or(BAD_ADDRESS)?;
        let data = errno(host.read_u32(vector))?;
        let size = errno(host.read_u32(vector.checked_add(4).ok_or(BAD_ADDRESS)?))?;
        message.extend(errno(host.read(data, size))?);
    }
    let written = u32::try_from(message.len()).unwrap_or(u32::MAX);
    if written > 0 {
        let line = message.strip_suffix(b"\n").unwrap_or(&message);
        system::write_log(host.state_mut(), level, line);
    }
    errno(host.write_u32(written_out, written))
}

pub(super) fn fd_read(
    _host: &mut Host<'_>,
    _fd: u32,
    _vectors: u32,
    _count: u32,
    _read_out: u32,
) -> Answer {
    Err(NO_SYSTEM_CALL)
}

pub(super) fn fd_seek(
    _host: &mut Host<'_>,
    _fd: u32,
    _offset: i64,
    _whence: u32,
    _out: u32,
) -> Answer {
    Ok(())
}

pub(super) fn fd_close(_host: &mut Host<'_>, _fd: u32) -> Answer {
    Ok(())
}

pub(super) fn fd_fdstat_get(host: &mut Host<'_>, fd: u32, out: u32) -> Answer {
    if fd != STDOUT && fd != STDERR {
        return Err(BAD_FILE);
    }
    // 24 bytes; the second eight are the rights, of which writing is 64.
    let mut stat = [0; 24];
    stat.iter_mut()
        .skip(8)
        .take(1)
        .for_each(|rights| *rights = 64);
    errno(host.write(out, &stat))
}

pub(super) fn fd_fdstat_set_flags(_host: &mut Host<'_>, _fd: u32, _flags: u32) -> Answer {
    Err(NO_SYSTEM_CALL)
}

pub(super) fn fd_prestat_get(_host: &mut Host<'_>, _fd: u32, _out: u32) -> Answer {
    Err(BAD_FILE)
}

pub(super) fn fd_prestat_dir_name(
    _host: &mut Host<'_>,
    _fd: u32,
    _path: u32,
    _size: u32,
) -> Answer {
    Err(BAD_FILE)
}

pub(super) fn environ_get(host: &mut Host<'_>, mut pointers: u32, mut bytes: u32) -> Answer {
    for entry in environment(host) {
        errno(host.write_u32(pointers, bytes))?;
        errno(host.write(bytes, &entry))?;
        pointers = pointers.checked_add(4).ok_or(BAD_ADDRESS)?;
        bytes = u32::try_from(entry.len())
            .ok()
            .and_then(|size| bytes.checked_add(size))
            .ok_or(BAD_ADDRESS)?;
    }
    Ok(())
}

pub(super) fn environ_sizes_get(host: &mut Host<'_>, count_out: u32, size_out: u32) -> Answer {
    let entries = environment(host);
    let size: usize = entries.iter().map(Vec::len).sum();
    errno(host.write_u32(count_out, u32::try_from(entries.len()).unwrap_or(u32::MAX)))?;
    errno(host.write_u32(size_out, u32::try_from(size).unwrap_or(u32::MAX)))
}

fn environment(host: &Host<'_>) -> Vec<Vec<u8>> {
    let environment = &host.state().settings.environment;
    environment
        .iter()
        .map(|(name, value)| format!("{name}={value}\0").into_bytes())
        .collect()
}

pub(super) fn args_get(_host: &mut Host<'_>, _pointers: u32, _bytes: u32) -> Answer {
    Ok(())
}

pub(super) fn args_sizes_get(host: &mut Host<'_>, count_out: u32, size_out: u32) -> Answer {
    errno(host.write_u32(count_out, 0))?;
    errno(host.write_u32(size_out, 0))
}

/// The wall clock and the monotonic clock are the same here: both stand still until the test moves them.
pub(super) fn clock_time_get(host: &mut Host<'_>, clock: u32, _precision: u64, out: u32) -> Answer {
    if clock > 1 {
        return Err(NOT_SUPPORTED);
    }
    let now = system::nanoseconds(host.state().clock);
    errno(host.give_u64(now, out))
}

pub(super) fn random_get(host: &mut Host<'_>, data: u32, size: u32) -> Answer {
    if size > RANDOM_MAX {
        return Err(Fault::Refused(28));
    }
    let mut bytes = vec![0; size as usize];
    for chunk in bytes.chunks_mut(8) {
        let random = host.state_mut().next_random().to_le_bytes();
        chunk
            .iter_mut()
            .zip(random)
            .for_each(|(byte, random)| *byte = random);
    }
    errno(host.write(data, &bytes))
}

pub(super) fn sched_yield(_host: &mut Host<'_>) -> Answer {
    Ok(())
}

/// Envoy only logs this and lets the guest run into what follows; here it ends the call with its code.
pub(super) fn exit(code: i32) -> wasmtime::Error {
    wasmtime::Error::new(Stop {
        kind: TrapKind::Exit(code),
        message: format!("the guest exited with code {code}"),
    })
}

/// A status of memory access, said in WASI's numbers.
fn errno<T>(answer: Result<T, Fault>) -> Result<T, Fault> {
    answer.map_err(|fault| match fault {
        Fault::Refused(_) => BAD_ADDRESS,
        stopped => stopped,
    })
}

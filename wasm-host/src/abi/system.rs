//! Log, clock, timer, status.

use std::time::Duration;

use crate::memory::{Answer, Host};
use crate::request::CalloutResponse;
use crate::state::State;
use crate::status::{Level, Status};

/// What one call into the guest may log; the rest is dropped.
const LOG_BYTES_PER_CALL: usize = 1 << 20;

pub(super) fn log(host: &mut Host<'_>, level: u32, data: u32, size: u32) -> Answer {
    let level = Level::from_code(level).ok_or(Status::BadArgument)?;
    let message = host.read(data, size)?;
    write_log(host.state_mut(), level, &message);
    Ok(())
}

/// Also for what a guest writes to its standard output.
pub(super) fn write_log(state: &mut State, level: Level, message: &[u8]) {
    if level < state.settings.log_level || state.log_bytes > LOG_BYTES_PER_CALL {
        return;
    }
    state.log_bytes = state.log_bytes.saturating_add(message.len().max(1));
    let message =
        String::from_utf8_lossy(message.get(..LOG_BYTES_PER_CALL).unwrap_or(message)).into_owned();
    state.effects.logs.push((level, message));
}

pub(super) fn log_level(host: &mut Host<'_>, out: u32) -> Answer {
    let level = host.state().settings.log_level as u32;
    host.give_u32(level, out)
}

pub(super) fn current_time(host: &mut Host<'_>, out: u32) -> Answer {
    let now = nanoseconds(host.state().clock);
    host.give_u64(now, out)
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn set_tick_period(host: &mut Host<'_>, period: u32) -> Answer {
    let state = host.state_mut();
    let root = state.root();
    let root = state.roots.get_mut(&root).ok_or(Status::BadArgument)?;
    root.tick_period = (period != 0).then(|| Duration::from_millis(u64::from(period)));
    Ok(())
}

pub(super) fn status(host: &mut Host<'_>, code_out: u32, data_out: u32, size_out: u32) -> Answer {
    let (code, message) = match host.state().callout_response {
        Some(CalloutResponse::Failed) => (Status::BrokenConnection.code(), b"reset".to_vec()),
        _ => (0, Vec::new()),
    };
    host.give_u32(code, code_out)?;
    host.give(message, data_out, size_out)
}

//! Shared data and metrics. Shared queues are not modelled: none exists and none can be registered.

use crate::memory::{Answer, Host};
use crate::status::Status;

pub(super) fn get(
    host: &mut Host<'_>,
    key: u32,
    key_size: u32,
    data_out: u32,
    size_out: u32,
    cas_out: u32,
) -> Answer {
    let key = host.read(key, key_size)?;
    let (value, version) = host
        .state()
        .settings
        .shared_data
        .get(&key)
        .ok_or(Status::NotFound)?;
    host.give(value, data_out, size_out)?;
    host.give_u32(version, cas_out)
}

pub(super) fn set(
    host: &mut Host<'_>,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
    cas: u32,
) -> Answer {
    let (key, value) = (host.read(key, key_size)?, host.read(value, value_size)?);
    let state = host.state_mut();
    state.settings.shared_data.set(&key, &value, cas)?;
    state.effects.shared_data.push((key, value));
    Ok(())
}

pub(super) fn register_queue(
    _host: &mut Host<'_>,
    _name: u32,
    _name_size: u32,
    _out: u32,
) -> Answer {
    Err(Status::Unimplemented.into())
}

pub(super) fn resolve_queue(
    _host: &mut Host<'_>,
    _vm: u32,
    _vm_size: u32,
    _name: u32,
    _name_size: u32,
    _out: u32,
) -> Answer {
    Err(Status::NotFound.into())
}

pub(super) fn dequeue(_host: &mut Host<'_>, _queue: u32, _data_out: u32, _size_out: u32) -> Answer {
    Err(Status::NotFound.into())
}

pub(super) fn enqueue(_host: &mut Host<'_>, _queue: u32, _data: u32, _size: u32) -> Answer {
    Err(Status::NotFound.into())
}

pub(super) fn define_metric(
    host: &mut Host<'_>,
    kind: u32,
    name: u32,
    name_size: u32,
    out: u32,
) -> Answer {
    let name = host.read(name, name_size)?;
    let id = host.state_mut().metrics.define(kind, &name)?;
    host.give_u32(id, out)
}

pub(super) fn increment_metric(host: &mut Host<'_>, id: u32, offset: i64) -> Answer {
    Ok(host.state_mut().metrics.increment(id, offset)?)
}

pub(super) fn record_metric(host: &mut Host<'_>, id: u32, value: u64) -> Answer {
    Ok(host.state_mut().metrics.record(id, value)?)
}

pub(super) fn metric(host: &mut Host<'_>, id: u32, out: u32) -> Answer {
    let value = host.state_mut().metrics.value(id)?;
    host.give_u64(value, out)
}

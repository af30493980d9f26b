//! The only door to the guest's memory: every access is checked, a bad pointer is a status.

use wasmtime::{AsContext, AsContextMut, Caller, Extern, Memory, TypedFunc};

use crate::hostile::Lie;
use crate::outcome::TrapKind;
use crate::state::State;
use crate::status::Status;

/// One host call under way.
pub(crate) struct Host<'a> {
    caller: Caller<'a, State>,
    lie: Option<Lie>,
}

/// How a host call ends if not well.
pub(crate) enum Fault {
    /// The guest gets this number: a status, or an errno of WASI.
    Refused(u32),
    /// The guest stops.
    Stopped(wasmtime::Error),
}

/// What each host call comes to.
pub(crate) type Answer = Result<(), Fault>;

impl From<Status> for Fault {
    fn from(status: Status) -> Fault {
        Fault::Refused(status.code())
    }
}

/// The host's own reason to stop a guest; carried through wasmtime as an error.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Stop {
    pub(crate) kind: TrapKind,
    pub(crate) message: String,
}

impl Stop {
    pub(crate) fn fault(kind: TrapKind, message: String) -> Fault {
        Fault::Stopped(wasmtime::Error::new(Stop { kind, message }))
    }
}

impl<'a> Host<'a> {
    pub(crate) fn new(caller: Caller<'a, State>, lie: Option<Lie>) -> Host<'a> {
        Host { caller, lie }
    }

    pub(crate) fn state(&self) -> &State {
        self.caller.data()
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        self.caller.data_mut()
    }

    /// Copies bytes out of the guest.
    pub(crate) fn read(&mut self, pointer: u32, size: u32) -> Result<Vec<u8>, Fault> {
        self.charge(size as usize)?;
        let memory = self.memory()?;
        let end = (pointer as usize)
            .checked_add(size as usize)
            .ok_or(Status::InvalidMemoryAccess)?;
        let bytes = memory
            .data(self.caller.as_context())
            .get(pointer as usize..end);
        Ok(bytes.ok_or(Status::InvalidMemoryAccess)?.to_vec())
    }

    pub(crate) fn read_u32(&mut self, pointer: u32) -> Result<u32, Fault> {
        let bytes = self.read(pointer, 4)?;
        let bytes = bytes
            .first_chunk::<4>()
            .ok_or(Status::InvalidMemoryAccess)?;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// Copies bytes into the guest.
    pub(crate) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Answer {
        let memory = self.memory()?;
        memory
            .write(self.caller.as_context_mut(), pointer as usize, bytes)
            .map_err(|_| Status::InvalidMemoryAccess.into())
    }

    pub(crate) fn write_u32(&mut self, pointer: u32, value: u32) -> Answer {
        self.write(pointer, &value.to_le_bytes())
    }

    /// Gives a number as the result of the call.
    pub(crate) fn give_u32(&mut self, value: u32, out: u32) -> Answer {
        let value = match self.lie {
            // The low half: a lie is written once for all widths.
            Some(Lie::Number(told)) => told as u32,
            _ => value,
        };
        self.write_u32(out, value)
    }

    /// Gives a number as the result of the call.
    pub(crate) fn give_u64(&mut self, value: u64, out: u32) -> Answer {
        let value = match self.lie {
            Some(Lie::Number(told)) => told,
            _ => value,
        };
        self.write(out, &value.to_le_bytes())
    }

    /// Gives bytes as the result of the call, in memory that the guest allocates.
    pub(crate) fn give(&mut self, bytes: Vec<u8>, pointer_out: u32, size_out: u32) -> Answer {
        let told = match &self.lie {
            Some(lie) => lie.about_bytes(bytes),
            None => bytes,
        };
        self.place(&told, pointer_out, size_out)
    }

    /// Gives a header map as the result of the call. Without entries it is no bytes at all, as in Envoy.
    pub(crate) fn give_pairs(
        &mut self,
        pairs: &[(Vec<u8>, Vec<u8>)],
        pointer_out: u32,
        size_out: u32,
    ) -> Answer {
        let told = match &self.lie {
            Some(lie) => lie.about_pairs(pairs),
            None if pairs.is_empty() => Vec::new(),
            None => crate::pairs::encode(pairs),
        };
        self.place(&told, pointer_out, size_out)
    }

    fn place(&mut self, bytes: &[u8], pointer_out: u32, size_out: u32) -> Answer {
        let size = u32::try_from(bytes.len()).map_err(|_| Status::InternalFailure)?;
        let pointer = if size == 0 { 0 } else { self.allocate(size)? };
        self.write(pointer, bytes)?;
        let (pointer, size) = match self.lie {
            Some(Lie::ReportSize(told)) => (pointer, told),
            Some(Lie::ReportPointer(told)) => (told, size),
            _ => (pointer, size),
        };
        self.write_u32(pointer_out, pointer)?;
        self.write_u32(size_out, size)
    }

    /// Calls back into the guest for memory; a trap in there stops the whole call.
    fn allocate(&mut self, size: u32) -> Result<u32, Fault> {
        let allocate = self.allocator()?;
        match allocate.call(self.caller.as_context_mut(), size) {
            Ok(0) => Err(Status::InvalidMemoryAccess.into()),
            Ok(pointer) => Ok(pointer),
            Err(error) => Err(Fault::Stopped(error)),
        }
    }

    fn memory(&mut self) -> Result<Memory, Fault> {
        if let Some(memory) = self.caller.data().memory {
            return Ok(memory);
        }
        let memory = self
            .caller
            .get_export("memory")
            .and_then(Extern::into_memory);
        self.caller.data_mut().memory = memory;
        memory.ok_or(Status::InvalidMemoryAccess.into())
    }

    fn allocator(&mut self) -> Result<TypedFunc<u32, u32>, Fault> {
        if let Some(allocate) = &self.caller.data().allocate {
            return Ok(allocate.clone());
        }
        for name in ["proxy_on_memory_allocate", "malloc"] {
            let found = self.caller.get_export(name).and_then(Extern::into_func);
            if let Some(allocate) =
                found.and_then(|found| found.typed(self.caller.as_context()).ok())
            {
                self.caller.data_mut().allocate = Some(allocate.clone());
                return Ok(allocate);
            }
        }
        Err(Status::InvalidMemoryAccess.into())
    }

    /// A guest that asks for the same megabyte again and again must not fill the host's memory.
    fn charge(&mut self, bytes: usize) -> Answer {
        let state = self.caller.data_mut();
        state.host_bytes = state.host_bytes.saturating_add(bytes);
        if state.host_bytes > state.settings.limits.host_bytes_per_call {
            let message = format!(
                "more than {} bytes were copied in one call",
                state.settings.limits.host_bytes_per_call
            );
            return Err(Stop::fault(TrapKind::HostBytesLimit, message));
        }
        Ok(())
    }
}

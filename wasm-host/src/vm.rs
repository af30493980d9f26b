//! One VM: the guest's instance and its state. Every call into the guest goes through [`Vm::call`].

use wasmtime::{Func, Instance, Store, Val};

use crate::memory::Stop;
use crate::module::Module;
use crate::outcome::{Effects, Trap, TrapKind};
use crate::settings::Settings;
use crate::state::State;

pub(crate) struct Vm {
    store: Store<State>,
    instance: Option<Instance>,
    dead: bool,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    /// The guest has no such export: the host goes on as if it had agreed.
    NotExported,
    /// It came back, with this value if the export has one.
    Value(Option<u32>),
    /// It did not come back; the reason is in the effects.
    Trapped,
}

impl Returned {
    /// For callbacks that answer yes or no; without such an export the answer is yes.
    pub(crate) fn agreed(self) -> bool {
        match self {
            Returned::NotExported | Returned::Value(None) => true,
            Returned::Value(Some(value)) => value != 0,
            Returned::Trapped => false,
        }
    }
}

impl Vm {
    /// Makes the instance and lets the module set itself up.
    pub(crate) fn start(module: &Module, settings: Settings) -> Result<Vm, Trap> {
        let pre = module.instance();
        let mut store = Store::new(pre.module().engine(), State::new(settings, module.abi()));
        store.limiter(|state| state);
        let mut vm = Vm {
            store,
            instance: None,
            dead: false,
        };
        vm.fill_up();
        match pre.instantiate(&mut vm.store) {
            Ok(instance) => vm.instance = Some(instance),
            Err(error) => return Err(vm.trap("instantiation", &error)),
        }
        vm.count_fuel();
        // A reactor has `_initialize`, a command `_start`; the SDK registers its contexts there.
        if vm.call("_initialize", 0, &[]) == Returned::NotExported {
            vm.call("_start", 0, &[]);
        }
        match vm.state().effects.trap.clone() {
            Some(trap) => Err(trap),
            None => Ok(vm),
        }
    }

    pub(crate) fn state(&self) -> &State {
        self.store.data()
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        self.store.data_mut()
    }

    pub(crate) fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.state_mut().effects)
    }

    /// The present size of the guest's memory.
    pub(crate) fn memory_bytes(&mut self) -> usize {
        let memory = self
            .instance
            .and_then(|instance| instance.get_memory(&mut self.store, "memory"));
        memory.map_or(0, |memory| memory.data_size(&self.store))
    }

    /// Calls an export for a context. Arguments beyond those that the export takes are left out (older ABIs take fewer).
    pub(crate) fn call(
        &mut self,
        export: &'static str,
        context: u32,
        arguments: &[u32],
    ) -> Returned {
        if self.dead {
            let message = "an earlier trap stopped this VM".to_owned();
            self.note(Trap {
                kind: TrapKind::VmFailed,
                during: export,
                message,
            });
            return Returned::Trapped;
        }
        let Some(function) = self
            .instance
            .and_then(|instance| instance.get_func(&mut self.store, export))
        else {
            return Returned::NotExported;
        };
        self.state_mut().begin_call(context);
        self.fill_up();
        let result = self.call_function(&function, arguments);
        self.count_fuel();
        match result {
            Ok(value) => Returned::Value(value),
            Err(error) => {
                self.trap(export, &error);
                Returned::Trapped
            }
        }
    }

    fn call_function(
        &mut self,
        function: &Func,
        arguments: &[u32],
    ) -> wasmtime::Result<Option<u32>> {
        let kind = function.ty(&self.store);
        let arguments: Vec<Val> = arguments
            .iter()
            .take(kind.params().len())
            .map(|value| Val::I32(value.cast_signed()))
            .collect();
        let mut results: Vec<Val> = kind.results().map(|_| Val::I32(0)).collect();
        let fits = kind.params().all(|parameter| parameter.is_i32())
            && kind.results().all(|result| result.is_i32());
        if !fits || arguments.len() != kind.params().len() || results.len() > 1 {
            let message = "the export has another type than the ABI says".to_owned();
            return Err(wasmtime::Error::new(Stop {
                kind: TrapKind::BadExport,
                message,
            }));
        }
        function.call(&mut self.store, &arguments, &mut results)?;
        Ok(results.first().and_then(Val::i32).map(i32::cast_unsigned))
    }

    fn fill_up(&mut self) {
        let fuel = self.state().settings.limits.fuel_per_call;
        // Fails only in an engine without fuel, and `Module` makes none.
        let _ = self.store.set_fuel(fuel);
    }

    fn count_fuel(&mut self) {
        let left = self.store.get_fuel().unwrap_or(0);
        let state = self.state_mut();
        let used = state.settings.limits.fuel_per_call.saturating_sub(left);
        state.effects.fuel = state.effects.fuel.saturating_add(used);
    }

    /// Names the reason and declares the VM dead: after a trap its memory can't be trusted.
    fn trap(&mut self, during: &'static str, error: &wasmtime::Error) -> Trap {
        self.dead = true;
        let growth_refused = self.state().growth_refused;
        let kind = match (
            error.downcast_ref::<Stop>(),
            error.downcast_ref::<wasmtime::Trap>(),
        ) {
            (Some(stop), _) => stop.kind,
            (None, Some(wasmtime::Trap::OutOfFuel)) => TrapKind::OutOfFuel,
            (None, Some(wasmtime::Trap::StackOverflow)) => TrapKind::StackOverflow,
            _ if growth_refused => TrapKind::MemoryLimit,
            _ => TrapKind::Guest,
        };
        let trap = Trap {
            kind,
            during,
            message: error.root_cause().to_string(),
        };
        self.note(trap.clone());
        trap
    }

    /// The first reason stays.
    fn note(&mut self, trap: Trap) {
        self.state_mut().effects.trap.get_or_insert(trap);
    }
}

//! The plugin's process: arguments and streams in, an exit code out.

use std::io::{self, BufReader, BufWriter, Write as _};
use std::process::ExitCode;

use kubectl_kyma_istio::{Settings, by_environment, exit, run_with};

fn main() -> ExitCode {
    // A completion script asks through the environment.
    if by_environment() {
        return ExitCode::from(exit::DONE);
    }
    let settings = Settings::of_terminal();
    let mut stdin = BufReader::new(io::stdin());
    let mut stdout = BufWriter::with_capacity(1 << 16, io::stdout());
    let mut stderr = io::stderr();
    let code = run_with(
        &settings,
        std::env::args_os(),
        &mut stdin,
        &mut stdout,
        &mut stderr,
    );
    // A reader that went away is no fault of ours.
    let _ = stdout.flush();
    ExitCode::from(code)
}

//! `glue IN.wasm OUT-FOLDER nodejs|web` writes the module and its JavaScript into a folder, as `playground_bg.wasm` and `playground.js`.

use std::path::Path;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, target] = arguments.as_slice() else {
        eprintln!("usage: glue IN.wasm OUT-FOLDER nodejs|web");
        return ExitCode::from(2);
    };
    match write(Path::new(input), Path::new(output), target) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("glue: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn write(input: &Path, output: &Path, target: &str) -> Result<(), String> {
    let mut bindgen = Bindgen::new();
    let chosen = match target {
        "nodejs" => bindgen.nodejs(true),
        "web" => bindgen.web(true),
        _ => return Err(format!("found target `{target}`, expected nodejs or web")),
    };
    chosen
        .map_err(|error| format!("{error:#}"))?
        .input_path(input)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(output)
        .map_err(|error| format!("{}: {error:#}", input.display()))
}

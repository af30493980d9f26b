//! What `completion install` answers.

use std::path::PathBuf;

use serde::Serialize;

use crate::printer::Text;

/// The file that kubectl's completion calls.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompletionInstalled {
    pub path: PathBuf,
    /// False: it was there already.
    pub changed: bool,
    pub dry_run: bool,
    /// kubectl finds the file in `$PATH` only.
    pub in_path: bool,
}

impl CompletionInstalled {
    pub fn human(&self, text: &mut Text) {
        let path = self.path.display();
        match (self.changed, self.dry_run) {
            (false, _) => text.line(format_args!("unchanged    {path}")),
            (true, true) => text.line(format_args!("would write  {path}")),
            (true, false) => text.line(format_args!("wrote        {path}")),
        }
        if !self.in_path {
            text.hint("kubectl finds it once its folder is in $PATH");
        }
    }
}

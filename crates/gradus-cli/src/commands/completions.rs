use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::output::Output;

/// Print a shell's completion script
///
/// Put it where the shell looks for such scripts:
///
///   gradus completions bash > ~/.local/share/bash-completion/completions/gradus
///   gradus completions zsh > ~/.zfunc/_gradus
///   gradus completions fish > ~/.config/fish/completions/gradus.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Output {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gradus", &mut script);
    Output::text(String::from_utf8_lossy(&script))
}

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use super::demonstrations::solution;
use super::{Demonstrations, PromptError, Shows, Strategy};
use crate::data::Problem;
use crate::lm::{Message, Prompt};

/// Builds prompts of one strategy.
#[derive(Debug)]
pub struct Prompter {
    templates: Environment<'static>,
    /// The template as errors name it, also its name among `templates`.
    name: String,
    demonstrations: Demonstrations,
}

/// A prompt and how it came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// What the model is shown.
    pub prompt: Prompt,
    /// Demonstrations in it; fewer than asked for where they did not all fit.
    pub demonstrations: usize,
}

impl Prompter {
    /// Prompts by the strategy's own template.
    pub fn new(strategy: &Strategy, demonstrations: Demonstrations) -> Result<Self, PromptError> {
        let name = format!("template of {}", strategy.name);
        Self::with_template(strategy, &name, strategy.template, demonstrations)
    }

    /// Prompts by another template; `name` is for messages.
    pub fn with_template(
        strategy: &Strategy,
        name: &str,
        template: &str,
        demonstrations: Demonstrations,
    ) -> Result<Self, PromptError> {
        if strategy.shows == Shows::Nothing && demonstrations.count() > 0 {
            return Err(PromptError::NotShown { strategy: strategy.name });
        }
        demonstrations.check(strategy.shows)?;
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        // Questions are text, not markup, whatever the name of the template ends in.
        templates.set_auto_escape_callback(|_| AutoEscape::None);
        templates
            .add_template_owned(name.to_owned(), template.to_owned())
            .map_err(|error| wrong(name, &error))?;
        Ok(Self { templates, name: name.to_owned(), demonstrations })
    }

    /// The prompt for a problem, as messages of a chat or as one text.
    ///
    /// While it does not pass `fits`, the last demonstration is dropped; nothing is cut. A
    /// prompt that does not fit without any is returned as it is: its row fails at the
    /// model, which knows the numbers.
    pub fn build(
        &self,
        problem: &Problem,
        chat: bool,
        fits: &dyn Fn(&Prompt) -> bool,
    ) -> Result<Built, PromptError> {
        let mut shown = self.demonstrations.for_problem(problem)?;
        loop {
            let prompt = self.render(problem, &shown, chat)?;
            if shown.is_empty() || fits(&prompt) {
                return Ok(Built { prompt, demonstrations: shown.len() });
            }
            shown.pop();
        }
    }

    fn render(
        &self,
        problem: &Problem,
        shown: &[&Problem],
        chat: bool,
    ) -> Result<Prompt, PromptError> {
        let part = |part: &str, row: &Problem, demonstration: bool| {
            self.part(part, row, demonstration, shown.len(), chat)
        };
        let mut messages = Vec::new();
        let system = part("system", problem, false)?;
        if !system.is_empty() {
            messages.push(("system", system));
        }
        for row in shown {
            messages.push(("user", part("user", row, true)?));
            messages.push(("assistant", part("assistant", row, true)?));
        }
        messages.push(("user", part("user", problem, false)?));
        if chat {
            let message = |(role, content): (&str, String)| Message { role: role.into(), content };
            return Ok(Prompt::Chat(messages.into_iter().map(message).collect()));
        }
        let last = messages.len() - 1;
        let mut text = String::new();
        for (at, (role, content)) in messages.iter().enumerate() {
            text.push_str(content);
            text.push_str(match *role {
                _ if at == last => "",
                // Where the completion of the last one begins, too.
                "user" => " ",
                _ => "\n\n",
            });
        }
        Ok(Prompt::Text(text.into()))
    }

    fn part(
        &self,
        part: &str,
        row: &Problem,
        demonstration: bool,
        demonstrations: usize,
        chat: bool,
    ) -> Result<String, PromptError> {
        let wrong = |error: minijinja::Error| wrong(&self.name, &error);
        let choices: Vec<_> = row
            .choices
            .iter()
            .enumerate()
            .map(|(at, text)| context! { letter => letter(at), text => text })
            .collect();
        let mut metadata = row.metadata.clone();
        if !demonstration {
            metadata.remove("solution");
        }
        let template = self.templates.get_template(&self.name).map_err(wrong)?;
        let text = template.render(context! {
            part, chat, choices, demonstrations,
            id => row.id.as_str(),
            question => row.question.trim(),
            subject => row.subject.as_deref(),
            level => row.level,
            metadata => Value::from(Serde(&metadata)),
            answer => row.answer.as_ref().filter(|_| demonstration),
            solution => solution(row).filter(|_| demonstration),
        });
        Ok(text.map_err(wrong)?.trim().to_owned())
    }
}

/// `A` of the first choice, `B` of the second; beyond the alphabet `AA`, `AB`.
pub fn letter(choice: usize) -> String {
    let last = char::from(b'A' + (choice % 26) as u8);
    if choice < 26 { last.to_string() } else { letter(choice / 26 - 1) + &last.to_string() }
}

fn wrong(template: &str, error: &minijinja::Error) -> PromptError {
    let reason = error
        .detail()
        .map_or_else(|| error.kind().to_string(), |d| format!("{}: {d}", error.kind()));
    PromptError::Template { template: template.to_owned(), line: error.line(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{ALL, find};
    use crate::verify;

    fn sum(id: &str, a: u32, b: u32) -> Problem {
        let mut problem = Problem {
            id: id.into(),
            question: format!("What is {a} + {b}?"),
            answer: Some((a + b).to_string()),
            ..Problem::default()
        };
        let solution = format!("{a} + {b} = <<{a}+{b}={0}>>{0}\n#### {0}", a + b);
        problem.metadata.insert("solution".into(), solution.into());
        problem
    }

    fn choice() -> Problem {
        Problem {
            id: "c".into(),
            question: "Which is a bird? {{ 1 }} <b>".into(),
            answer: Some("B".into()),
            choices: vec!["cod".into(), "owl".into()],
            ..Problem::default()
        }
    }

    fn prompter(strategy: &str, shown: usize) -> Prompter {
        let demonstrations =
            Demonstrations::draw(vec![sum("d1", 1, 2), sum("d2", 3, 4)], shown, 1).unwrap();
        Prompter::new(find(strategy).unwrap(), demonstrations).unwrap()
    }

    fn text(strategy: &str, shown: usize, problem: &Problem) -> String {
        let built = prompter(strategy, shown).build(problem, false, &|_| true).unwrap();
        let Prompt::Text(text) = built.prompt else { panic!("not a text") };
        text.to_string()
    }

    #[test]
    fn texts_are_as_written_here() {
        assert_eq!(
            text("zero-shot", 0, &choice()),
            "Question: Which is a bird? {{ 1 }} <b>\nA. cod\nB. owl\n\
             Give the letter of the right choice alone, in \\boxed{}.\nAnswer:"
        );
        assert_eq!(
            text("chain-of-thought", 0, &sum("p", 5, 6)),
            "Question: What is 5 + 6?\n\
             Reason step by step, and put the final answer in \\boxed{}.\n\
             Answer: Let's think step by step."
        );
        let few = text("few-shot", 1, &sum("p", 5, 6));
        let (first, rest) = few.split_once("\n\n").unwrap();
        assert!(
            ["Question: What is 1 + 2?\nAnswer: 3", "Question: What is 3 + 4?\nAnswer: 7"]
                .contains(&first)
        );
        assert_eq!(rest, "Question: What is 5 + 6?\nAnswer:");
        let worked = text("chain-of-thought", 2, &sum("p", 5, 6));
        assert!(worked.contains("Answer: 1 + 2 = 3\nThe answer is 3.\n\n"), "{worked}");
        assert!(worked.ends_with("Question: What is 5 + 6?\nAnswer:"), "{worked}");
    }

    #[test]
    fn a_chat_has_a_turn_for_each_demonstration_and_no_labels() {
        let built = prompter("few-shot", 2).build(&sum("p", 5, 6), true, &|_| true).unwrap();
        let Prompt::Chat(messages) = built.prompt else { panic!("not a chat") };
        let roles: Vec<&str> = messages.iter().map(|message| message.role.as_str()).collect();
        assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
        assert_eq!(messages[4].content, "What is 5 + 6?");
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_never_cut() {
        let prompter = prompter("few-shot", 2);
        let fits = |longest: usize| {
            let fits =
                move |prompt: &Prompt| matches!(prompt, Prompt::Text(t) if t.len() <= longest);
            let built = prompter.build(&sum("p", 5, 6), false, &fits).unwrap();
            let Prompt::Text(text) = built.prompt else { panic!("not a text") };
            assert_eq!(text.matches("\nAnswer: ").count(), built.demonstrations);
            assert!(text.ends_with("Question: What is 5 + 6?\nAnswer:"));
            built.demonstrations
        };
        assert_eq!([fits(1000), fits(80), fits(10)], [2, 1, 0]);
    }

    #[test]
    fn the_answer_of_the_problem_is_never_in_its_prompt() {
        let mut problem = sum("p", 5, 6);
        (problem.question, problem.answer) = ("Say it.".into(), Some("gold-answer".into()));
        problem.metadata.insert("solution".into(), "gold-solution".into());
        for strategy in ALL {
            let shown = if strategy.shows == Shows::Nothing { 0 } else { 2 };
            let text = text(strategy.name, shown, &problem);
            assert!(!text.contains("gold"), "{}: {text}", strategy.name);
        }
        let all = "{{ part }} {{ metadata }} {{ answer }} {{ solution }}";
        let none = Demonstrations::default();
        let strategy = find("zero-shot").unwrap();
        let prompter = Prompter::with_template(strategy, "all.jinja", all, none).unwrap();
        let built = prompter.build(&problem, false, &|_| true).unwrap();
        assert_eq!(built.prompt, Prompt::Text("system {} None None\n\nuser {} None None".into()));
    }

    #[test]
    fn the_grader_reads_what_demonstrations_show() {
        for (strategy, shown) in [("few-shot", 1), ("chain-of-thought", 1)] {
            let prompter = prompter(strategy, shown);
            let part = prompter.part("assistant", &sum("p", 5, 6), true, 1, true).unwrap();
            let read = verify::extract(&part, verify::mode("math").unwrap().extractions);
            assert_eq!(read.as_deref(), Some("11"), "{part}");
        }
    }

    #[test]
    fn a_wrong_template_is_named_with_its_line() {
        let strategy = find("zero-shot").unwrap();
        let build = |template: &str| {
            Prompter::with_template(strategy, "mine.jinja", template, Demonstrations::default())
                .and_then(|prompter| prompter.build(&choice(), false, &|_| true))
                .unwrap_err()
                .to_string()
        };
        assert!(build("\n{% if %}").starts_with("mine.jinja:2: syntax error: "));
        let error = build("\n\n{{ qestion }}");
        assert!(error.starts_with("mine.jinja:3: undefined value"), "{error}");
    }

    #[test]
    fn demonstrations_need_what_is_shown() {
        let mut bare = sum("d1", 1, 2);
        bare.metadata.clear();
        let draw = |row: &Problem| Demonstrations::draw(vec![row.clone()], 1, 1).unwrap();
        let refused = |strategy: &str, row: &Problem| {
            Prompter::new(find(strategy).unwrap(), draw(row)).unwrap_err().to_string()
        };
        assert_eq!(
            refused("chain-of-thought", &bare),
            "demonstration \"d1\": metadata.solution: found nothing, expected the worked solution that is shown"
        );
        assert!(refused("zero-shot", &bare).contains("zero-shot shows no demonstrations"));
        bare.answer = None;
        assert!(refused("few-shot", &bare).contains("answer: found nothing"));
    }

    #[test]
    fn letters_go_on_beyond_the_alphabet() {
        assert_eq!([0, 25, 26, 51, 52].map(letter), ["A", "Z", "AA", "AZ", "BA"]);
    }
}

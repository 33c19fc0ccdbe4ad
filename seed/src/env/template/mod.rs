//! Templates of envs: minijinja, strict, with functions that make secrets.
//!
//! A template is rendered twice. The first time every secret is a marker: that shows which
//! secrets there are and at which keys they end up. What is needed is then made, on all cores,
//! and the second time the secrets stand in the markers' places. An upgrade puts secrets that
//! an env has already in the same places.

mod functions;
pub(super) mod marker;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::generate::{Call, GenerateError, Made};
use crate::yaml::tree::Node;
use marker::Marker;

/// What a template is filled with.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The domain of the site, `domain` in the template.
    pub domain: String,
    /// What the operator gave besides, `extra` and `given()` in the template.
    pub extra: Option<Node>,
}

/// Why a template cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The template itself is wrong.
    #[error("{file}:{line}: {problem}")]
    Template {
        /// The template.
        file: String,
        /// The line.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// What it gives is no env.
    #[error("{file}: what the template gives is no env: line {line} of it: {problem}")]
    NoEnv {
        /// The template.
        file: String,
        /// The line of what it gives.
        line: u64,
        /// What is wrong there.
        problem: String,
    },
    /// A secret could not be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
}

/// A template under work. Shows none of the secrets it makes.
pub struct Session<'a> {
    file: &'a str,
    text: &'a str,
    inputs: &'a Inputs,
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("file", &self.file).finish_non_exhaustive()
    }
}

/// The secrets of a template, in the order in which it asks for them.
#[derive(Default)]
struct State {
    dry: bool,
    next: usize,
    slots: Vec<Slot>,
}

/// One secret.
struct Slot {
    call: Call,
    made: Option<Made>,
}

impl<'a> Session<'a> {
    /// A template that errors call `file`.
    #[must_use]
    pub fn new(file: &'a str, text: &'a str, inputs: &'a Inputs) -> Self {
        Self { file, text, inputs, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in another thread leaves nothing half-done in here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renders with markers instead of secrets.
    pub(super) fn dry(&self) -> Result<String, TemplateError> {
        *self.state() = State { dry: true, ..State::default() };
        self.render()
    }

    /// The number of secrets, after [`Session::dry`].
    pub(super) fn count(&self) -> usize {
        self.state().slots.len()
    }

    /// What makes a secret.
    pub(super) fn call(&self, index: usize) -> Option<Call> {
        self.state().slots.get(index).map(|slot| slot.call.clone())
    }

    /// Gives a secret instead of having it made.
    pub(super) fn keep(&self, index: usize, made: Made) {
        if let Some(slot) = self.state().slots.get_mut(index) {
            slot.made = Some(made);
        }
    }

    /// Fills a secret that ends up nowhere with something that cost nothing.
    pub(super) fn fill(&self, index: usize) {
        if let Some(slot) = self.state().slots.get_mut(index).filter(|slot| slot.made.is_none()) {
            slot.made = Some(Marker::made(index, &slot.call));
        }
    }

    /// Makes the secrets with these numbers that are not there yet, on all cores. Those that
    /// are made of other secrets wait until these are there.
    pub(super) fn make(&self, wanted: &[usize]) -> Result<(), TemplateError> {
        let ready = |slot: &Slot| slot.made.is_none() && !marker::in_call(&slot.call);
        let todo: Vec<(usize, Call)> = wanted
            .iter()
            .filter_map(|index| {
                let state = self.state();
                state
                    .slots
                    .get(*index)
                    .filter(|slot| ready(slot))
                    .map(|slot| (*index, slot.call.clone()))
            })
            .collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let queue = Mutex::new(todo.into_iter());
        let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let worker = || -> Result<(), GenerateError> {
            while let Some((index, call)) = take() {
                self.keep(index, call.make()?);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(outcome) => outcome.map_err(TemplateError::from),
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }

    /// Renders with the secrets. Those that were neither given nor made are made now.
    pub(super) fn real(&self) -> Result<String, TemplateError> {
        {
            let mut state = self.state();
            state.dry = false;
            state.next = 0;
        }
        self.render()
    }

    fn render(&self) -> Result<String, TemplateError> {
        let environment = self.environment();
        let outcome =
            environment.render_named_str(self.file, self.text, functions::context(self.inputs));
        outcome.map_err(|error| self.error(&error))
    }

    /// Evaluates one expression, such as `base64(39)`, to a text.
    ///
    /// # Errors
    /// An expression that is none or gives no text.
    pub fn evaluate(&self, expression: &str) -> Result<String, TemplateError> {
        *self.state() = State::default();
        let environment = self.environment();
        let compiled = environment.compile_expression(expression);
        let value = compiled.and_then(|compiled| compiled.eval(functions::context(self.inputs)));
        let value = value.map_err(|error| self.error(&error))?;
        value.as_str().map(str::to_owned).ok_or_else(|| TemplateError::Template {
            file: self.file.to_owned(),
            line: 1,
            problem: format!("`{expression}` gives no text"),
        })
    }

    fn environment(&self) -> Environment<'_> {
        let mut builder = SyntaxConfig::builder();
        let syntax = builder.keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build();
        // Delimiters are those of Jinja, which are valid.
        let syntax = syntax.unwrap_or_default();
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        functions::add(&mut environment, &self.state, self.inputs);
        environment
    }

    fn error(&self, error: &minijinja::Error) -> TemplateError {
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        TemplateError::Template {
            file: self.file.to_owned(),
            line: error.line().unwrap_or(1),
            problem: format!("{}{detail}", error.kind()),
        }
    }
}

impl State {
    /// The next secret that the template asks for.
    fn ask(&mut self, call: Call) -> Result<Made, GenerateError> {
        let index = self.next;
        self.next += 1;
        if self.dry {
            let made = Marker::made(index, &call);
            self.slots.push(Slot { call, made: None });
            return Ok(made);
        }
        match self.slots.get_mut(index) {
            Some(Slot { call: known, made: Some(made) }) if known.name() == call.name() => {
                Ok(made.clone())
            }
            _ => call.make(),
        }
    }
}

#[cfg(test)]
mod tests;

//! `watch`: a terminal view of what moves.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use hematite_host::error::{Error, Result};
use hematite_host::function::Function;
use hematite_host::report::{Counters, Health, Queues, Verdict};
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style};
use ratatui::widgets::{Block, Paragraph, Row, Table};

use super::Answer;
use crate::args::Watch;
use crate::render::{hex, or_dash, yes};

/// One look.
#[derive(Clone, Debug)]
pub(super) struct Look {
    at: Instant,
    health: Health,
    queues: Queues,
    counters: Option<Counters>,
}

impl Look {
    pub(super) fn take(function: &mut Function) -> Result<Look> {
        let counters = match function.inspection() {
            Some(_) => Some(Counters::gather(function)?),
            None => None,
        };
        let (health, queues) = (Health::gather(function)?, Queues::gather(function)?);
        Ok(Look { at: Instant::now(), health, queues, counters })
    }

    /// How much a counter has grown in a second since an earlier look.
    fn rate(&self, before: Option<&Look>, number: usize) -> Option<f64> {
        let (before, now) = (before?, self.counters.as_ref()?);
        let value = |counters: &Counters| {
            counters.counters.iter().find(|one| one.number == number).map(|one| one.value)
        };
        let grown = value(now)?.wrapping_sub(value(before.counters.as_ref()?)?);
        let seconds = self.at.saturating_duration_since(before.at).as_secs_f64();
        (seconds > 0.0).then(|| grown as f64 / seconds)
    }
}

/// Looks until `q` is pressed, or so many times.
pub(super) fn run(mut function: Function, words: &Watch) -> Result<Answer> {
    let pause = Duration::try_from_secs_f64(words.interval)
        .map_err(|_| Error::Words { text: words.interval.to_string(), wanted: "number of seconds" })?;
    if !io::stdout().is_terminal() {
        let what = "watch draws on a terminal, and standard output is none".into();
        return Err(Error::Unable { what, next: "`hematite counters --json` again and again, for a script" });
    }
    let mut terminal = ratatui::init();
    let mut before: Option<Look> = None;
    let mut looks = 0;
    let result = loop {
        let look = match Look::take(&mut function) {
            Ok(look) => look,
            Err(error) => break Err(error),
        };
        let drawn = terminal.draw(|frame| draw(frame, &look, before.as_ref()));
        looks += 1;
        if drawn.is_err() || looks == words.count || ended(pause) {
            break Ok(Answer { text: String::new(), clean: look.health.verdict == Verdict::Fine });
        }
        before = Some(look);
    };
    ratatui::restore();
    result
}

/// Waits for the next look; true if the user has seen enough.
fn ended(pause: Duration) -> bool {
    let start = Instant::now();
    loop {
        let left = pause.saturating_sub(start.elapsed());
        match event::poll(left) {
            Ok(true) => match event::read() {
                Ok(Event::Key(key)) if matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) => return true,
                Ok(_) => {}
                Err(_) => return true,
            },
            Ok(false) => return false,
            Err(_) => return true,
        }
    }
}

/// Draws one look.
pub(super) fn draw(frame: &mut Frame, look: &Look, before: Option<&Look>) {
    let queues = look.queues.queues.len() as u16;
    let findings = look.health.head.findings.len() as u16;
    let parts = [Constraint::Length(3 + findings), Constraint::Length(3 + queues), Constraint::Min(3)];
    let [top, middle, bottom] = Layout::vertical(parts).areas(frame.area());
    let colour = if look.health.verdict == Verdict::Fine { Color::Green } else { Color::Red };
    let status = look.health.status.as_ref().map_or(String::new(), |status| status.names.join(" "));
    let lines = look.health.head.findings.iter().map(|one| format!("\n{}", one.text)).collect::<String>();
    let title = format!("{} (q ends)", look.health.head.device);
    let head =
        Paragraph::new(status + &lines).style(Style::new().fg(colour)).block(Block::bordered().title(title));
    frame.render_widget(head, top);
    let rows = look.queues.queues.iter().map(|one| {
        Row::new([
            one.queue.to_string(),
            one.role.into(),
            one.enabled.map_or("-".into(), yes),
            or_dash(one.size),
            hex(one.descriptors),
            or_dash(one.available_taken),
            or_dash(one.used),
            or_dash(one.in_flight),
        ])
    });
    let names = ["queue", "role", "enabled", "size", "descriptors", "taken", "used", "in flight"];
    let widths = [5, 8, 7, 5, 18, 6, 6, 9].map(Constraint::Length);
    frame.render_widget(
        Table::new(rows, widths).header(Row::new(names)).block(Block::bordered().title("queues")),
        middle,
    );
    let counters = look.counters.iter().flat_map(|counters| &counters.counters);
    let rows = counters.map(|one| {
        let rate = look.rate(before, one.number).map_or(String::new(), |rate| format!("{rate:.0}/s"));
        Row::new([one.name.clone().unwrap_or_default(), one.value.to_string(), rate, one.about.into()])
    });
    let widths = [20, 14, 12, 60].map(Constraint::Length);
    frame.render_widget(Table::new(rows, widths).block(Block::bordered().title("counters")), bottom);
}

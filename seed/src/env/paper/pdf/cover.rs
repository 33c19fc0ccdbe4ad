//! The first page: what this is, how careful to be with it, and how to get the file back.

use sha2::{Digest, Sha256};

use super::Sheet;
use super::canvas::{
    ACCENT, AMBER, Canvas, Font, HEIGHT, INK, LEFT, RIGHT, SOFT, Style, TINT, WARM, WHITE, WIDTH,
};
use crate::env::paper::code::Codes;

const BODY: Style = Style(Font::Text, 10.0, INK);
const STEP: f32 = 14.0;
/// How the codes are put together without this program. Tested word for word.
pub const BY_HAND: [&str; 4] = [
    "sudo apt install zbar-tools",
    "zbarimg -q --raw page-*.png | grep / | sort -un | cut -d' ' -f2 |",
    "    tr -d '\\n' | base32 -d | gunzip > env.yml",
    "sha256sum env.yml",
];

pub fn page(sheet: &Sheet<'_>, codes: &Codes) -> Canvas {
    let mut page = Canvas::new();
    band(&mut page, sheet);
    facts(&mut page, sheet, codes);
    warning(&mut page);
    recover(&mut page, sheet, codes);
    by_hand(&mut page);
    by_eye(&mut page);
    page
}

fn band(page: &mut Canvas, sheet: &Sheet<'_>) {
    let height = 96.0;
    page.boxed(0.0, HEIGHT - height, (WIDTH, height), ACCENT);
    let small = Style(Font::Text, 10.5, [0.8, 0.9, 0.92]);
    page.text(LEFT, HEIGHT - 38.0, "Configuration and keys on paper", small);
    // A long name gets smaller letters.
    let size = (22.0 * (RIGHT - LEFT) / Font::Bold.width(sheet.name, 22.0)).min(22.0);
    page.text(LEFT, HEIGHT - 68.0, sheet.name, Style(Font::Bold, size, WHITE));
    page.y = HEIGHT - height - 6.0;
}

fn facts(page: &mut Canvas, sheet: &Sheet<'_>, codes: &Codes) {
    let digest = Sha256::digest(sheet.text.as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines = sheet.text.lines().count();
    let file = format!("{}, {} bytes in {lines} lines", sheet.file, sheet.text.len());
    let count = match codes.texts.len() {
        1 => "1 code".to_owned(),
        many => format!("{many} codes"),
    };
    let rows = [
        ("File", file, Font::Text),
        ("Made", sheet.made.to_owned(), Font::Text),
        (
            "Print",
            format!("{}, {count}; the codes of one print go together", codes.set),
            Font::Text,
        ),
        ("SHA-256", digest, Font::Mono),
    ];
    for (label, value, font) in rows {
        page.y -= 17.0;
        page.text(LEFT, page.y, label, Style(Font::Text, 9.5, SOFT));
        page.text(
            LEFT + 58.0,
            page.y,
            &value,
            Style(font, if font == Font::Mono { 9.0 } else { 10.0 }, INK),
        );
    }
    page.y -= 14.0;
}

fn warning(page: &mut Canvas) {
    let (top, height) = (page.y, 52.0);
    page.boxed(LEFT, top - height, (RIGHT - LEFT, height), WARM);
    page.boxed(LEFT, top - height, (3.0, height), AMBER);
    page.text(
        LEFT + 14.0,
        top - 18.0,
        "Keep this like the keys to the house.",
        Style(Font::Bold, 10.5, INK),
    );
    page.text(
        LEFT + 14.0,
        top - 31.0,
        "These pages hold every password and private key of the site, readable by anyone who has them.",
        Style(Font::Text, 9.5, INK),
    );
    page.text(
        LEFT + 14.0,
        top - 43.0,
        "Store them in a safe, do not send scans of them by mail, and delete scans once they have been used.",
        Style(Font::Text, 9.5, INK),
    );
    page.y = top - height;
}

/// A numbered step.
fn step(page: &mut Canvas, number: usize, text: &str) {
    let y = page.y - STEP;
    page.text(LEFT + 4.0, y, &format!("{number}."), Style(Font::Bold, 10.0, ACCENT));
    page.paragraph(LEFT + 22.0, STEP, text, BODY);
    page.y -= 1.5;
}

/// Commands on a tinted ground.
fn commands(page: &mut Canvas, lines: &[&str]) {
    let height = lines.len() as f32 * 12.5 + 11.0;
    page.y -= 7.0;
    page.boxed(LEFT, page.y - height, (RIGHT - LEFT, height), TINT);
    let mut y = page.y - 4.0;
    for line in lines {
        y -= 12.5;
        page.text(LEFT + 10.0, y, line, Style(Font::Mono, 9.0, INK));
    }
    page.y -= height;
}

fn recover(page: &mut Canvas, sheet: &Sheet<'_>, codes: &Codes) {
    page.heading("To get the file back");
    let pages = codes.texts.len().div_ceil(super::codes::PER_PAGE) + 1;
    let which = if pages == 2 { "page 2".to_owned() } else { format!("pages 2 to {pages}") };
    step(
        page,
        1,
        &format!(
            "Scan {which}, the ones with the square codes, as PNG, JPEG or PDF with 300 dots per inch. A photograph that is sharp up to its corners will do. Order and orientation do not matter."
        ),
    );
    step(page, 2, "Give all of them to the program bootwright, in any order:");
    commands(page, &["bootwright env recover --out env.yml page-*.png"]);
    page.y -= 3.0;
    step(
        page,
        3,
        "If it says that codes are missing, scan the pages with those numbers again. If not, the file is complete, to the last byte.",
    );
    step(
        page,
        4,
        &format!(
            "The file configures a machine: `bootwright seed create env.yml site.iso` makes a medium that brings {} up on an empty machine of its kind.",
            sheet.name
        ),
    );
}

fn by_hand(page: &mut Canvas) {
    page.heading("Without that program");
    page.paragraph(
        LEFT,
        STEP,
        "Any reader of QR codes gives a line of text for each code: number/total/print/checksum, a blank, data. Sort the lines by number, keep what stands behind the blank, join it, decode it as base32 and unpack it with gzip. On Debian or Ubuntu:",
        BODY,
    );
    commands(page, &BY_HAND);
    page.paragraph(
        LEFT,
        STEP + 1.0,
        "The last command has to print the SHA-256 from the top of this page.",
        BODY,
    );
}

fn by_eye(page: &mut Canvas) {
    page.heading("With nothing but your eyes");
    page.paragraph(
        LEFT,
        STEP,
        "The listing behind the codes is the file itself, to be typed in. A line that is too long for the page goes on behind a » in the margin, without a blank or a line end of its own. A raised dot (·) at the end of a line is a blank, and <U+0009> stands for the one character with that number in Unicode (here: a tab).",
        BODY,
    );
}

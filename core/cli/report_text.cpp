#include "core/cli/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace trivet::core {

namespace {

constexpr std::string_view bold = "\033[1m";
constexpr std::string_view plain = "\033[0m";

std::string text_of(const Cell& cell) {
  return std::visit(
      [](const auto& value) -> std::string {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::monostate>) {
          return "-";
        } else if constexpr (std::is_same_v<Value, bool>) {
          return value ? "yes" : "no";
        } else if constexpr (std::is_same_v<Value, double>) {
          return fmt::format("{:.3f}", value);
        } else if constexpr (std::is_same_v<Value, std::string>) {
          return value;
        } else {
          return fmt::format("{}", value);
        }
      },
      cell);
}

bool is_number(const Cell& cell) {
  return std::holds_alternative<std::int64_t>(cell) || std::holds_alternative<std::uint64_t>(cell) ||
         std::holds_alternative<double>(cell);
}

// Control characters in a cell (names come from files) would let it write over the screen.
std::string printable(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text;
}

// Columns of a UTF-8 text as a terminal counts them, but for wide characters.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::size_t used = width_of(text);
  const std::string fill(width > used ? width - used : 0, ' ');
  return right ? fill + text : text + fill;
}

void trim_end(std::string& text) {
  while (!text.empty() && text.back() == ' ') text.pop_back();
}

void append_table(std::string& out, const Table& table, Colors colors) {
  const std::size_t columns = table.columns.size();
  std::vector<std::vector<std::string>> cells;
  std::vector<std::size_t> widths;
  std::vector<char> has_number(columns, 0);
  std::vector<char> has_text(columns, 0);
  widths.reserve(columns);
  for (const Column& column : table.columns) widths.push_back(width_of(column.title));
  for (const auto& row : table.rows) {
    std::vector<std::string> line;
    line.reserve(columns);
    for (std::size_t i = 0; i < columns; ++i) {
      const Cell cell = i < row.size() ? row[i] : Cell{};
      line.push_back(printable(text_of(cell)));
      widths[i] = std::max(widths[i], width_of(line.back()));
      if (is_number(cell)) {
        has_number[i] = 1;
      } else if (!std::holds_alternative<std::monostate>(cell)) {
        has_text[i] = 1;
      }
    }
    cells.push_back(std::move(line));
  }
  const auto is_right = [&](std::size_t i) { return has_number[i] != 0 && has_text[i] == 0; };
  if (!table.title.empty()) out += table.title + '\n';
  std::string head;
  for (std::size_t i = 0; i < columns; ++i) {
    head += (i == 0 ? "" : "  ") + padded(table.columns[i].title, widths[i], is_right(i));
  }
  trim_end(head);
  out += colors == Colors::on ? std::string(bold) + head + std::string(plain) + '\n' : head + '\n';
  for (const auto& line : cells) {
    std::string text;
    for (std::size_t i = 0; i < columns; ++i) text += (i == 0 ? "" : "  ") + padded(line[i], widths[i], is_right(i));
    trim_end(text);
    out += text + '\n';
  }
  if (cells.empty()) out += "(none)\n";
}

}  // namespace

std::string to_text(const Report& report, Colors colors) {
  if (!report.error.empty()) return "error: " + printable(report.error) + '\n';
  std::string out;
  std::size_t label_width = 0;
  for (const Field& field : report.fields) label_width = std::max(label_width, width_of(field.label));
  for (const Field& field : report.fields) {
    out += padded(field.label, label_width, false) + "  " + printable(text_of(field.value));
    if (!field.unit.empty() && !std::holds_alternative<std::monostate>(field.value)) out += ' ' + field.unit;
    out += '\n';
  }
  for (const Table& table : report.tables) {
    if (!out.empty()) out += '\n';
    append_table(out, table, colors);
  }
  for (std::size_t i = 0; i < report.notes.size(); ++i) {
    if (i == 0 && !out.empty()) out += '\n';
    out += printable(report.notes[i]) + '\n';
  }
  return out;
}

}  // namespace trivet::core

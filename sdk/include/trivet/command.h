// Console commands: a handler answers with a Report, which the core prints as aligned text or as JSON.
//
// Thread: control. A handler that needs the workers keeps the reply and answers later.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "trivet/time.h"

namespace trivet {

// A value in a report. In JSON: null, bool, number, string. In text: "-", yes/no, number, string.
using Cell = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string>;

struct Field {
  std::string key;    // JSON name: snake_case, stable
  std::string label;  // for people: "Effective priority"
  Cell value;
  std::string unit;  // for people: "s"; JSON has the bare number
};

struct Column {
  std::string key;
  std::string title;
};

struct Table {
  std::string key;    // JSON name of the array
  std::string title;  // heading for people; empty = none
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;  // each as long as columns
};

struct Report {
  std::string error;  // not empty: the command failed, this says why and what to do; nothing else is printed
  std::vector<Field> fields;
  std::vector<Table> tables;
  std::vector<std::string> notes;  // sentences for people; in JSON the array "notes"
};

[[nodiscard]] inline Report error_report(std::string text) {
  Report report;
  report.error = std::move(text);
  return report;
}

using CommandReply = std::move_only_function<void(Report)>;
// `arguments` are the words behind the command's name, options of the command line (--json) taken out; there are none
// if the command is declared without. `now` is when the command was given; a later reply may be told another time.
using CommandHandler = std::function<void(const std::vector<std::string>& arguments, Time now, CommandReply reply)>;

struct CommandSpec {
  std::string name;       // "show vrrp"
  std::string arguments;  // for help: "[--server N]"; empty: the core refuses arguments
  std::string help;       // one sentence
};

}  // namespace trivet

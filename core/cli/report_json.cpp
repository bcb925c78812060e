#include "core/cli/report_json.h"

#include <nlohmann/json.hpp>

namespace trivet::core {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t max_words = 64;
constexpr std::size_t max_word_length = 4096;

Json cell_to_json(const Cell& cell) {
  return std::visit(
      [](const auto& value) -> Json {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::monostate>) {
          return nullptr;
        } else {
          return value;
        }
      },
      cell);
}

Cell cell_from_json(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_unsigned()) return json.get<std::uint64_t>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  return std::monostate{};
}

// Text that is no UTF-8 (a name from a file) is replaced rather than refused.
std::string dump(const Json& json, int indent) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

Table table_from_json(const Json& json) {
  Table table;
  table.key = json.at("key").get<std::string>();
  table.title = json.at("title").get<std::string>();
  for (const Json& column : json.at("columns")) {
    table.columns.push_back({column.at(0).get<std::string>(), column.at(1).get<std::string>()});
  }
  for (const Json& row : json.at("rows")) {
    std::vector<Cell> cells;
    for (const Json& cell : row) cells.push_back(cell_from_json(cell));
    cells.resize(table.columns.size());
    table.rows.push_back(std::move(cells));
  }
  return table;
}

}  // namespace

std::string to_json(const Report& report) {
  Json json = Json::object();
  if (!report.error.empty()) {
    json["error"] = report.error;
    return dump(json, 2);
  }
  for (const Field& field : report.fields) json[field.key] = cell_to_json(field.value);
  for (const Table& table : report.tables) {
    Json rows = Json::array();
    for (const auto& row : table.rows) {
      Json object = Json::object();
      for (std::size_t i = 0; i < table.columns.size() && i < row.size(); ++i) {
        object[table.columns[i].key] = cell_to_json(row[i]);
      }
      rows.push_back(std::move(object));
    }
    json[table.key] = std::move(rows);
  }
  if (!report.notes.empty()) json["notes"] = report.notes;
  return dump(json, 2);
}

std::string encode_report(const Report& report) {
  Json json = Json::object();
  if (!report.error.empty()) json["error"] = report.error;
  json["fields"] = Json::array();
  for (const Field& field : report.fields) {
    json["fields"].push_back(Json::array({field.key, field.label, cell_to_json(field.value), field.unit}));
  }
  json["tables"] = Json::array();
  for (const Table& table : report.tables) {
    Json columns = Json::array();
    for (const Column& column : table.columns) columns.push_back(Json::array({column.key, column.title}));
    Json rows = Json::array();
    for (const auto& row : table.rows) {
      Json cells = Json::array();
      for (const Cell& cell : row) cells.push_back(cell_to_json(cell));
      rows.push_back(std::move(cells));
    }
    json["tables"].push_back({{"key", table.key}, {"title", table.title}, {"columns", columns}, {"rows", rows}});
  }
  json["notes"] = report.notes;
  return dump(json, -1);
}

Result<Report> decode_report(std::string_view line) {
  try {
    const Json json = Json::parse(line);
    Report report;
    report.error = json.value("error", "");
    for (const Json& field : json.at("fields")) {
      report.fields.push_back({field.at(0).get<std::string>(), field.at(1).get<std::string>(),
                               cell_from_json(field.at(2)), field.at(3).get<std::string>()});
    }
    for (const Json& table : json.at("tables")) report.tables.push_back(table_from_json(table));
    for (const Json& note : json.at("notes")) report.notes.push_back(note.get<std::string>());
    return report;
  } catch (const Json::exception& error) {
    return fail(std::string("the daemon's answer cannot be read: ") + error.what());
  }
}

std::string encode_command(const std::vector<std::string>& words) { return dump(Json(words), -1); }

Result<std::vector<std::string>> decode_command(std::string_view line) {
  try {
    const Json json = Json::parse(line);
    if (!json.is_array() || json.empty() || json.size() > max_words) return fail("a command has 1 to 64 words");
    std::vector<std::string> words;
    for (const Json& word : json) {
      words.push_back(word.get<std::string>());
      if (words.back().size() > max_word_length) return fail("a word of a command has at most 4,096 bytes");
    }
    return words;
  } catch (const Json::exception&) {
    return fail("the command is no JSON array of strings");
  }
}

}  // namespace trivet::core

// Reports as JSON: the form that people's scripts read, and the form that passes through the control socket.
//
// Pure. Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "trivet/command.h"
#include "trivet/result.h"

namespace trivet::core {

// What `--json` prints: fields as members, tables as arrays of objects, notes as an array. An error is {"error": text}.
[[nodiscard]] std::string to_json(const Report& report);

// Everything, labels and titles included, on one line; and back.
[[nodiscard]] std::string encode_report(const Report& report);
[[nodiscard]] Result<Report> decode_report(std::string_view line);

// A command on its way to the daemon, on one line; and back. At most 64 words of 4,096 bytes.
[[nodiscard]] std::string encode_command(const std::vector<std::string>& words);
[[nodiscard]] Result<std::vector<std::string>> decode_command(std::string_view line);

}  // namespace trivet::core

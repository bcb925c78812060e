// Reading a configuration file, whatever the name leads to.
#pragma once

#include <filesystem>
#include <string>

#include "trivet/result.h"

namespace trivet::core {

// The whole file. The error says why it cannot be one: not there, no regular file, larger than a configuration can be.
// Never blocks and never reads more than that limit.
[[nodiscard]] Result<std::string> read_config_file(const std::filesystem::path& file);

}  // namespace trivet::core

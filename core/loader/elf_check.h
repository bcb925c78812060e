// A bounded look at an ELF file before any library code reads it: files are input, and input is hostile.
#pragma once

#include <filesystem>

#include "trivet/result.h"

namespace trivet::core {

// Success when the file is a shared object for this machine whose headers, sections, string and symbol tables lie
// within the file and point only into each other, and whose segments fit each other and the sections. Reads at most 256
// MiB. The error is a sentence without the file name.
[[nodiscard]] Result<void> check_shared_object(const std::filesystem::path& file);

}  // namespace trivet::core

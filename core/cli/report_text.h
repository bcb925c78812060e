// Reports as text for people: fields with aligned labels, tables with aligned columns, notes below.
//
// Pure. Thread: any. Numbers are aligned to the right, everything else to the left; the last column may run on.
#pragma once

#include <string>

#include "trivet/command.h"

namespace trivet::core {

enum class Colors : std::uint8_t { off, on };

[[nodiscard]] std::string to_text(const Report& report, Colors colors);

}  // namespace trivet::core

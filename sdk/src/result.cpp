#include "trivet/result.h"

namespace trivet {

std::string to_string(const Problem& problem) {
  std::string text;
  if (!problem.position.source.empty()) {
    text += problem.position.source + ':';
    if (problem.position.line != 0) {
      text += std::to_string(problem.position.line) + ':';
      if (problem.position.column != 0) text += std::to_string(problem.position.column) + ':';
    }
    text += ' ';
  }
  text += problem.severity == Severity::error ? "error: " : "warning: ";
  return text + problem.text;
}

}  // namespace trivet

// From a name on the modules line to a descriptor: linked in, or a library on the search path.
//
// A library is inspected (ELF structure, symbol list) before it is opened; opened local; its descriptor compared; and
// refused in one sentence that says which file, what it has and what this core has. Code is never unloaded.
// Thread: control. Ownership: descriptors and libraries live as long as the process.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "trivet/abi.h"
#include "trivet/result.h"

namespace trivet::core {

class ModuleLoader {
 public:
  // `linked` are found before files of the same name. The search path is tried in order.
  explicit ModuleLoader(std::vector<const ModuleDescriptor*> linked,
                        std::vector<std::filesystem::path> search_path = {});

  [[nodiscard]] Result<const ModuleDescriptor*> find(const std::string& name);
  // Names of all modules that could be found, ascending; files that are no modules are among them until opened.
  [[nodiscard]] std::vector<std::string> installed() const;
  [[nodiscard]] const std::vector<std::filesystem::path>& search_path() const { return search_path_; }

 private:
  std::vector<const ModuleDescriptor*> linked_;
  std::vector<std::filesystem::path> search_path_;
  std::map<std::string, const ModuleDescriptor*> opened_;
};

// Opens one file; used by find() and by `describe`. `name` is what the descriptor must say; empty = any.
[[nodiscard]] Result<const ModuleDescriptor*> open_module_file(const std::filesystem::path& file,
                                                               const std::string& name);

}  // namespace trivet::core

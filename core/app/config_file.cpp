#include "core/app/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/config/tree.h"
#include "core/io/file_descriptor.h"

namespace trivet::core {

Result<std::string> read_config_file(const std::filesystem::path& file) {
  const auto system_error = [] { return fail("cannot be read: " + std::generic_category().message(errno)); };
  // O_NONBLOCK: opening a pipe would wait for a writer.
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (fd.get() < 0) return system_error();
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_error();
  if (S_ISDIR(status.st_mode)) return fail("cannot be read: it is a folder");
  if (!S_ISREG(status.st_mode)) return fail("cannot be read: it is no regular file");
  std::string text(TreeLimits::text_size + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error();
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > TreeLimits::text_size) {
    return fail("is too large for a configuration: at most " + std::to_string(TreeLimits::text_size) +
                " bytes are read");
  }
  text.resize(size);
  return text;
}

}  // namespace trivet::core

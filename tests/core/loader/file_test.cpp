// Files that are no libraries, and libraries that were damaged on their way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/loader/elf_check.h"
#include "core/loader/module_loader.h"
#include "sample_files.h"

namespace trivet::core {
namespace {

using ::testing::AnyOf;
using ::testing::StartsWith;

class LoaderFileTest : public ::testing::Test {
 protected:
  // What find("x") says about x.so in the test's folder, without the file name.
  std::string refusal() {
    const auto opened = ModuleLoader({}, {folder_.path()}).find("x");
    if (opened) return "(taken)";
    const std::string file = file_.string() + ": ";
    return opened.error().text.starts_with(file) ? opened.error().text.substr(file.size()) : opened.error().text;
  }
  std::string refusal(const std::vector<char>& bytes) {
    write_file(file_, bytes);
    return refusal();
  }
  static std::vector<char> good() { return read_file_bytes(std::string(SAMPLE_FOLDER) + "/good.so"); }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "x.so";
};

TEST_F(LoaderFileTest, AnEmptyFileIsNoElfFile) { EXPECT_EQ(refusal(std::vector<char>{}), "is not an ELF file"); }

TEST_F(LoaderFileTest, ATextFileIsNoElfFile) {
  const std::string text = "INPUT(libm.so.6) /* a linker script, as long as an ELF header is: 64 bytes and some */\n";
  EXPECT_EQ(refusal({text.begin(), text.end()}), "is not an ELF file");
  EXPECT_EQ(refusal(std::vector<char>{'\x7f', 'E', 'L', 'F'}), "is not an ELF file");
}

TEST_F(LoaderFileTest, ALibraryThatIsReplacedAfterItWasOpenedIsNoticed) {
  const std::filesystem::path file = folder_.path() / "good.so";
  write_file(file, good());
  ModuleLoader loader({}, {folder_.path()});
  EXPECT_EQ(loader.changed("good"), std::nullopt) << "not opened yet";
  ASSERT_TRUE(loader.find("good"));
  EXPECT_EQ(loader.changed("good"), std::nullopt);
  write_file(folder_.path() / "new", good());
  std::filesystem::rename(folder_.path() / "new", file);
  const std::string sentence =
      file.string() + " has changed since it was loaded: the old code goes on until trivetd is started again";
  EXPECT_EQ(loader.changed("good"), sentence);
  ASSERT_TRUE(loader.find("good")) << "the old one";
  std::filesystem::remove(file);
  EXPECT_EQ(loader.changed("good"), sentence);
}

TEST_F(LoaderFileTest, AFolderIsRefused) {
  std::filesystem::create_directory(file_);
  EXPECT_EQ(refusal(), "cannot be read: Is a directory");
}

TEST_F(LoaderFileTest, SymbolicLinksInALoopOrToNothingAreRefusedWithTheReason) {
  std::filesystem::create_symlink("x.so", file_);
  EXPECT_EQ(refusal(), "cannot be read: Too many levels of symbolic links");
  std::filesystem::remove(file_);
  std::filesystem::create_symlink("gone.so", file_);
  EXPECT_EQ(refusal(), "cannot be read: No such file or directory");
}

TEST_F(LoaderFileTest, APipeIsRefusedWithoutWaitingForAWriter) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), StartsWith("cannot be read: "));
}

TEST_F(LoaderFileTest, ASearchPathThatIsAFileHoldsNothing) {
  write_file(file_, {});
  EXPECT_EQ(ModuleLoader({}, {file_}).find("y").error().text, "there is no module 'y': no y.so in " + file_.string());
}

// Root may read everything, so the question is asked by a child that is nobody.
TEST_F(LoaderFileTest, AFileThatMayNotBeReadIsRefusedWithTheReason) {
  write_file(file_, good());
  std::filesystem::permissions(file_, std::filesystem::perms::none);
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) ::_exit(2);
    ::_exit(refusal() == "cannot be read: Permission denied" ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(LoaderFileTest, AnObjectFileIsNoSharedLibrary) {
  EXPECT_EQ(refusal(read_file_bytes(OBJECT_FILE)), "is an ELF file but not a shared library");
}

TEST_F(LoaderFileTest, AProgramIsNoModule) {
  EXPECT_EQ(refusal(read_file_bytes("/proc/self/exe")),
            "is a shared library but no Trivet module (it exports no trivet_module_v1)");
}

TEST_F(LoaderFileTest, AnotherMachineIsNamed) {
  std::vector<char> bytes = good();
  bytes[4] = 1;  // 32 bits
  EXPECT_EQ(refusal(bytes), "is an ELF file for another kind of machine (not 64-bit little-endian)");
  bytes = good();
  bytes[5] = 2;  // big-endian
  EXPECT_EQ(refusal(bytes), "is an ELF file for another kind of machine (not 64-bit little-endian)");
  bytes = good();
  bytes[18] = 8;  // MIPS
  bytes[19] = 0;
  EXPECT_EQ(refusal(bytes), "is built for another processor");
}

// The section headers are at the end of the file: whatever is cut off, something lies outside.
TEST_F(LoaderFileTest, AModuleCutShortIsRefusedAtEveryLengthInItsHeadersAndAtManyBehind) {
  const std::vector<char> whole = good();
  ASSERT_GT(whole.size(), 4096U);
  const std::size_t step = whole.size() / 200;
  for (std::size_t length = 0; length < whole.size();
       length += length < 1024 || length + 200 > whole.size() ? 1 : step) {
    const std::string said = refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    ASSERT_THAT(said, AnyOf("is not an ELF file", StartsWith("is cut off: ")))
        << "of " << whole.size() << " bytes the first " << length;
  }
  EXPECT_EQ(refusal(whole), "calls itself 'good', the modules line wants 'x'");
}

}  // namespace
}  // namespace trivet::core

// ELF files made to hurt: offsets, links, counts and sizes that point elsewhere.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/dll/library_info.hpp>
#include <cstring>
#include <limits>
#include <random>

#include "core/loader/elf_check.h"
#include "core/loader/module_loader.h"
#include "sample_files.h"

namespace trivet::core {
namespace {

// A good module as bytes, with its tables at hand.
class ElfImage {
 public:
  ElfImage() : bytes_(read_file_bytes(std::string(SAMPLE_FOLDER) + "/good.so")) {
    std::memcpy(&header_, bytes_.data(), sizeof header_);
    for (std::size_t i = 0; i < header_.e_shnum; ++i) {
      Elf64_Shdr section{};
      std::memcpy(&section, bytes_.data() + section_at(i), sizeof section);
      sections_.push_back(section);
    }
  }

  [[nodiscard]] std::size_t section_at(std::size_t index) const { return header_.e_shoff + index * sizeof(Elf64_Shdr); }
  [[nodiscard]] std::size_t find(std::uint32_t type) const {
    for (std::size_t i = 0; i < sections_.size(); ++i) {
      if (sections_[i].sh_type == type) return i;
    }
    ADD_FAILURE() << "the sample has no section of type " << type;
    return 0;
  }
  Elf64_Ehdr& header() { return header_; }
  std::vector<Elf64_Shdr>& sections() { return sections_; }
  std::vector<char>& bytes() { return bytes_; }
  // The bytes with header and section headers as they are now.
  std::vector<char> file() {
    std::vector<char> result = bytes_;
    Elf64_Ehdr original{};
    std::memcpy(&original, bytes_.data(), sizeof original);
    for (std::size_t i = 0; i < sections_.size(); ++i) {
      std::memcpy(result.data() + original.e_shoff + i * sizeof(Elf64_Shdr), &sections_[i], sizeof(Elf64_Shdr));
    }
    std::memcpy(result.data(), &header_, sizeof header_);
    return result;
  }

 private:
  std::vector<char> bytes_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Shdr> sections_;
};

class CraftedElfTest : public ::testing::Test {
 protected:
  std::string said(ElfImage& image) {
    write_file(file_, image.file());
    const auto result = check_shared_object(file_);
    return result ? "(sound)" : result.error().text;
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "good.so";
  ElfImage image_;
};

constexpr std::uint64_t far = std::numeric_limits<std::uint64_t>::max();

TEST_F(CraftedElfTest, TheSampleItselfIsSound) { EXPECT_EQ(said(image_), "(sound)"); }

TEST_F(CraftedElfTest, SectionHeadersOutsideTheFile) {
  for (const std::uint64_t offset :
       {far, far - 63, far - 64 * 10, std::uint64_t{1} << 63U, image_.bytes().size() + 0UL}) {
    image_.header().e_shoff = offset;
    EXPECT_EQ(said(image_), "is cut off: its section headers lie outside the file") << offset;
  }
}

TEST_F(CraftedElfTest, NoSectionHeadersOrOnesOfAnotherSize) {
  image_.header().e_shnum = 0;
  EXPECT_EQ(said(image_), "has no section headers");
  image_ = {};
  image_.header().e_shentsize = 1;
  EXPECT_EQ(said(image_), "has no section headers");
}

TEST_F(CraftedElfTest, SectionNamesThatAreNoStringTable) {
  for (const std::size_t index : {std::size_t{0}, image_.find(SHT_DYNSYM), std::size_t{0xffff}}) {
    image_.header().e_shstrndx = static_cast<std::uint16_t>(index);
    EXPECT_EQ(said(image_), "has no sound table of section names") << index;
  }
}

TEST_F(CraftedElfTest, ASectionNameOutsideItsTable) {
  image_.sections()[3].sh_name = 0xffffffff;
  EXPECT_EQ(said(image_), "has a section whose name lies outside its table");
}

TEST_F(CraftedElfTest, ASectionOutsideTheFile) {
  const std::size_t dynamic = image_.find(SHT_DYNAMIC);
  const Elf64_Shdr sound = image_.sections()[dynamic];
  for (const std::uint64_t offset : {far, far - sound.sh_size + 1, image_.bytes().size() - sound.sh_size + 1}) {
    image_.sections()[dynamic].sh_offset = offset;
    EXPECT_EQ(said(image_), "is cut off: a section lies outside the file") << offset;
  }
  image_.sections()[dynamic] = sound;
  image_.sections()[dynamic].sh_size = far;
  EXPECT_EQ(said(image_), "is cut off: a section lies outside the file");
}

TEST_F(CraftedElfTest, ASymbolTableWhoseStringsAreElsewhere) {
  const std::size_t symbols = image_.find(SHT_DYNSYM);
  for (const std::uint32_t link : {0U, 0xffffffffU, static_cast<std::uint32_t>(symbols)}) {
    image_.sections()[symbols].sh_link = link;
    EXPECT_EQ(said(image_), "has a symbol table without a sound string table") << link;
  }
}

TEST_F(CraftedElfTest, AStringTableWithoutAnEnd) {
  const std::size_t symbols = image_.find(SHT_DYNSYM);
  Elf64_Shdr& strings = image_.sections()[image_.sections()[symbols].sh_link];
  strings.sh_size -= 1;
  EXPECT_EQ(said(image_), "has a symbol table without a sound string table");
  strings.sh_size = 0;
  EXPECT_EQ(said(image_), "has a symbol table without a sound string table");
}

TEST_F(CraftedElfTest, ASymbolTableOfBrokenSize) {
  const std::size_t symbols = image_.find(SHT_DYNSYM);
  image_.sections()[symbols].sh_size -= 1;
  EXPECT_EQ(said(image_), "has a symbol table of broken size");
  image_ = {};
  image_.sections()[symbols].sh_entsize = 0;
  EXPECT_EQ(said(image_), "has a symbol table of broken size");
}

TEST_F(CraftedElfTest, ASymbolNameOutsideItsStrings) {
  const Elf64_Shdr symbols = image_.sections()[image_.find(SHT_DYNSYM)];
  const std::uint32_t name = 0x7fffffff;
  std::memcpy(image_.bytes().data() + symbols.sh_offset + sizeof(Elf64_Sym), &name, sizeof name);
  EXPECT_EQ(said(image_), "has a symbol whose name lies outside its string table");
}

TEST_F(CraftedElfTest, NoExportedSymbols) {
  image_.sections()[image_.find(SHT_DYNSYM)].sh_type = SHT_PROGBITS;
  EXPECT_EQ(said(image_), "exports no symbols");
}

TEST_F(CraftedElfTest, ProgramHeadersAndSegmentsOutsideTheFile) {
  image_.header().e_phoff = far - 8;
  EXPECT_EQ(said(image_), "is cut off: its program headers lie outside the file");
  image_ = {};
  image_.header().e_phnum = 0;
  EXPECT_EQ(said(image_), "has no program headers");
  image_ = {};
  Elf64_Phdr segment{};
  for (std::size_t i = 0; i < image_.header().e_phnum; ++i) {
    char* const at = image_.bytes().data() + image_.header().e_phoff + i * sizeof segment;
    std::memcpy(&segment, at, sizeof segment);
    if (segment.p_type == PT_LOAD) segment.p_offset = far - 4096;
    std::memcpy(at, &segment, sizeof segment);
  }
  EXPECT_EQ(said(image_), "is cut off: a segment lies outside the file");
}

TEST_F(CraftedElfTest, SegmentsThatTheLinkerWouldTripOver) {
  const auto with = [this](std::uint32_t type, auto change) {
    image_ = {};
    for (std::size_t i = 0; i < image_.header().e_phnum; ++i) {
      char* const at = image_.bytes().data() + image_.header().e_phoff + i * sizeof(Elf64_Phdr);
      Elf64_Phdr segment{};
      std::memcpy(&segment, at, sizeof segment);
      if (segment.p_type != type) continue;
      change(segment);
      std::memcpy(at, &segment, sizeof segment);
    }
    return said(image_);
  };
  EXPECT_EQ(with(PT_LOAD, [](Elf64_Phdr& s) { s.p_align = 3; }), "has a segment of impossible alignment");
  EXPECT_EQ(with(PT_LOAD, [](Elf64_Phdr& s) { s.p_align = 0; }), "has a segment of impossible alignment");
  EXPECT_EQ(with(PT_LOAD, [](Elf64_Phdr& s) { s.p_vaddr += 1; }), "has a segment of impossible alignment");
  const char* const overlap = "has segments that overlap, are out of order or larger than 1 GiB";
  EXPECT_EQ(with(PT_LOAD, [](Elf64_Phdr& s) { s.p_memsz = far; }), overlap);
  EXPECT_EQ(with(PT_LOAD, [](Elf64_Phdr& s) { s.p_memsz += std::uint64_t{1} << 29U; }), overlap);
  EXPECT_EQ(with(PT_LOAD, [](Elf64_Phdr& s) { s.p_flags = 0; }), "has a section that its segments do not hold");
  const char* const outside = "has a segment outside of those that are loaded";
  EXPECT_EQ(with(PT_DYNAMIC, [](Elf64_Phdr& s) { s.p_vaddr += 8; }), outside);
  EXPECT_EQ(with(PT_GNU_RELRO, [](Elf64_Phdr& s) { s.p_memsz = far; }), outside);
  EXPECT_EQ(with(PT_DYNAMIC, [](Elf64_Phdr& s) { s.p_type = PT_NULL; }), "has no dynamic segment, or several");
  EXPECT_EQ(with(PT_DYNAMIC, [](Elf64_Phdr& s) { s.p_memsz -= 16; }), "has a section that its segments do not hold");
}

// How a child that opens the file ends: 0 = it came back, whatever the answer was; else the signal.
int signal_of_open(const std::filesystem::path& file) {
  const pid_t child = ::fork();
  if (child < 0) return -1;
  if (child == 0) {
    static_cast<void>(open_module_file(file, "good"));
    ::_exit(0);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return -1;
  return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

// Some bytes of one range are changed, single ones or whole fields, to random or to extreme values.
void mutate(std::vector<char>& bytes, std::size_t from, std::size_t size, std::mt19937& random) {
  const std::size_t changes = 1 + random() % 4;
  for (std::size_t i = 0; i < changes; ++i) {
    const std::size_t width = std::size_t{1} << (random() % 4);
    const std::size_t at = from + random() % (size - width + 1) / width * width;
    std::uint64_t value = random();
    if (random() % 2 == 0) value = random() % 2 == 0 ? far - random() % 4096 : random() % 256;
    std::memcpy(bytes.data() + at, &value, width);
  }
}

// The tables that only the check and the symbol reader look at: the run-time linker uses none of them, so that no
// mutation may end the process, not even one that passes the check.
TEST_F(CraftedElfTest, FiveThousandMutatedSectionTablesCrashNothing) {
  std::mt19937 random(20260722);
  const std::size_t names = image_.header().e_shstrndx;
  const std::size_t symbol_table = image_.find(SHT_SYMTAB);
  const std::size_t strings = image_.sections()[symbol_table].sh_link;
  std::size_t passed = 0;
  for (int round = 0; round < 5000; ++round) {
    std::vector<char> bytes = image_.bytes();
    const Elf64_Shdr* section = nullptr;
    switch (random() % 5) {
      case 0:
        section = &image_.sections()[names];
        break;
      case 1:
        section = &image_.sections()[symbol_table];
        break;
      case 2:
        section = &image_.sections()[strings];
        break;
      default:
        break;
    }
    if (section != nullptr) {
      mutate(bytes, section->sh_offset, section->sh_size, random);
    } else {
      mutate(bytes, image_.header().e_shoff, image_.sections().size() * sizeof(Elf64_Shdr), random);
    }
    write_file(file_, bytes);
    if (!check_shared_object(file_)) continue;
    ++passed;
    // The reader of symbols in this process, where sanitizers see it; the linker in a child.
    EXPECT_NO_THROW(static_cast<void>(boost::dll::library_info(file_).symbols())) << "round " << round;
    if (passed % 8 == 0) {
      ASSERT_EQ(signal_of_open(file_), 0) << "round " << round;
    }
  }
  // Both ways have been gone.
  EXPECT_GT(passed, 100U);
  EXPECT_LT(passed, 4900U);
}

// The ELF header and the program headers steer the run-time linker too, which checks next to nothing: what would kill
// it must not pass.
TEST_F(CraftedElfTest, TwoThousandMutatedHeadersCrashNothing) {
  std::mt19937 random(19991231);
  const std::size_t headers = image_.header().e_phoff + image_.header().e_phnum * sizeof(Elf64_Phdr);
  std::size_t passed = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<char> bytes = image_.bytes();
    mutate(bytes, 0, headers, random);
    write_file(file_, bytes);
    if (!check_shared_object(file_)) continue;
    ++passed;
    EXPECT_NO_THROW(static_cast<void>(boost::dll::library_info(file_).symbols())) << "round " << round;
    ASSERT_EQ(signal_of_open(file_), 0) << "round " << round;
  }
  EXPECT_GT(passed, 100U);
  EXPECT_LT(passed, 1900U);
}

}  // namespace
}  // namespace trivet::core

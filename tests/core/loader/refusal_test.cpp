// What the loader says about libraries that it will not take. Every library is real, built with one fault.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/app/module_instance.h"
#include "core/loader/elf_check.h"
#include "core/loader/module_loader.h"
#include "sample_files.h"

namespace trivet::core {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

// What is said about a sample library, without its file name.
std::string refusal(const std::string& name) {
  const auto opened = ModuleLoader({}, {SAMPLE_FOLDER}).find(name);
  if (opened) return "(taken)";
  const std::string file = std::string(SAMPLE_FOLDER) + "/" + name + ".so: ";
  EXPECT_THAT(opened.error().text, StartsWith(file));
  return opened.error().text.substr(std::min(file.size(), opened.error().text.size()));
}

std::string creation_failure(const std::string& name) {
  const auto opened = ModuleLoader({}, {SAMPLE_FOLDER}).find(name);
  if (!opened) return opened.error().text;
  MetricsRegistry registry;
  const auto instance = ModuleInstance::create(**opened, &registry);
  return instance ? "(created)" : instance.error().text;
}

TEST(LoaderTest, TakesASoundModuleAndItsObjectDeclares) {
  ModuleLoader loader({}, {SAMPLE_FOLDER});
  const auto opened = loader.find("good");
  ASSERT_TRUE(opened) << opened.error().text;
  EXPECT_STREQ((*opened)->name, "good");
  MetricsRegistry registry;
  const auto instance = ModuleInstance::create(**opened, &registry);
  ASSERT_TRUE(instance) << instance.error().text;
  EXPECT_EQ((*instance)->declaration().classes, packet_class::arp);
}

TEST(LoaderTest, OpensALibraryOnceAndGivesTheSameDescriptorAgain) {
  ModuleLoader loader({}, {SAMPLE_FOLDER});
  const auto first = loader.find("good");
  const auto second = loader.find("good");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*first, *second);
}

TEST(LoaderTest, TakesAStrippedModule) {
  const auto opened = ModuleLoader({}, {std::string(SAMPLE_FOLDER) + "/stripped"}).find("good");
  ASSERT_TRUE(opened) << opened.error().text;
  EXPECT_STREQ((*opened)->name, "good");
}

TEST(LoaderTest, TakesADescriptorThatHasGrownAtItsEnd) { EXPECT_EQ(refusal("larger_descriptor"), "(taken)"); }

TEST(LoaderTest, RefusesAnotherAbiByTheExportedNameBeforeItOpensTheFile) {
  EXPECT_EQ(refusal("other_abi_name"),
            "is a module for ABI 9, this trivetd has ABI 1: build it again with this release's SDK");
}

TEST(LoaderTest, RefusesAnotherAbiInsideTheDescriptor) {
  EXPECT_EQ(refusal("other_abi_field"),
            "is built for module ABI 2, this trivetd has ABI 1: build it again with this release's SDK");
}

TEST(LoaderTest, RefusesANewerAbiMinor) {
  EXPECT_EQ(refusal("newer_minor"), "is built for module ABI 1.2, this trivetd has 1.1: it needs a newer trivetd");
}

TEST(LoaderTest, RefusesASmallerDescriptor) {
  EXPECT_EQ(refusal("smaller_descriptor"),
            "its descriptor has 32 bytes, this trivetd needs at least " + std::to_string(sizeof(ModuleDescriptor)));
}

TEST(LoaderTest, RefusesAnotherLayoutAndShowsBoth) {
  EXPECT_EQ(refusal("other_layout"),
            "is built with another layout: it has 'pointers=32 library=libc++', this trivetd has '" +
                std::string(layout_signature) + "': build it with the same flags");
  EXPECT_EQ(refusal("no_layout"), "is built with another layout: it has (none), this trivetd has '" +
                                      std::string(layout_signature) + "': build it with the same flags");
}

TEST(LoaderTest, RefusesAModuleThatCallsItselfDifferently) {
  EXPECT_EQ(refusal("wrong_name"), "calls itself 'elsewhere', the modules line wants 'wrong_name'");
  EXPECT_EQ(refusal("no_name"), "gives no valid module name");
  EXPECT_EQ(refusal("path_as_name"), "gives no valid module name");
}

TEST(LoaderTest, RefusesADescriptorWithoutFunctions) {
  EXPECT_EQ(refusal("no_create"), "its descriptor has no create or destroy function");
  EXPECT_EQ(refusal("no_destroy"), "its descriptor has no create or destroy function");
}

TEST(LoaderTest, RefusesALibraryThatIsNoModule) {
  EXPECT_EQ(refusal("plain"), "is a shared library but no Trivet module (it exports no trivet_module_v1)");
}

TEST(LoaderTest, RefusesAFunctionUnderTheDescriptorsName) {
  EXPECT_EQ(refusal("function_export"), "exports trivet_module_v1, but not as a descriptor");
}

TEST(LoaderTest, RefusesALibraryThatCannotBeLinked) {
  EXPECT_THAT(refusal("unresolved"), StartsWith("cannot be opened: "));
  EXPECT_THAT(refusal("unresolved"), ::testing::HasSubstr("trivet_function_that_is_nowhere"));
}

TEST(LoaderTest, AModuleThatMakesNoObjectOrThrowsIsRefusedWhenItIsCreated) {
  EXPECT_EQ(creation_failure("null_object"), "module 'null_object' made no object");
  EXPECT_EQ(creation_failure("throwing_create"),
            "module 'throwing_create' failed while it was created: no licence on Sundays");
  EXPECT_EQ(creation_failure("throwing_number"),
            "module 'throwing_number' failed while it was created: it threw something that is no exception");
  EXPECT_EQ(creation_failure("throwing_declare"),
            "module 'throwing_declare' failed while it was created: nothing to declare");
}

TEST(LoaderTest, AMissingModuleIsAnErrorThatListsTheSearchPath) {
  EXPECT_EQ(ModuleLoader({}, {"/nowhere/a", "/nowhere/b"}).find("tnat").error().text,
            "there is no module 'tnat': no tnat.so in /nowhere/a, /nowhere/b");
  EXPECT_EQ(ModuleLoader({}).find("tnat").error().text,
            "there is no module 'tnat': no tnat.so in the search path, which is empty");
}

TEST(LoaderTest, NamesAreNeverPaths) {
  ModuleLoader loader({}, {SAMPLE_FOLDER});
  for (const std::string name :
       {"../libraries/good", "/etc/passwd", "good.so", ".", "..", "a b", "a\nb", "stripped/good"}) {
    const auto found = loader.find(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().text, "'" + name + "' is no module name (letters, digits, '-' and '_')");
  }
  EXPECT_FALSE(loader.find(""));
  EXPECT_FALSE(loader.find(std::string(65, 'a')));
  EXPECT_FALSE(loader.find(std::string("good\0", 5)));
}

TEST(LoaderTest, TheSearchPathIsTriedInItsOrder) {
  const TemporaryFolder empty;
  const auto opened =
      ModuleLoader({}, {empty.path(), std::string(SAMPLE_FOLDER) + "/stripped", SAMPLE_FOLDER}).find("good");
  ASSERT_TRUE(opened) << opened.error().text;
  // A broken file in front is an error, not a reason to look on: the operator means that one.
  const TemporaryFolder broken;
  write_file(broken.path() / "good.so", {});
  const auto refused = ModuleLoader({}, {broken.path(), SAMPLE_FOLDER}).find("good");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, (broken.path() / "good.so").string() + ": is not an ELF file");
}

TEST(LoaderTest, LinkedModulesComeBeforeFilesAndInstalledNamesAreSorted) {
  static constexpr ModuleDescriptor linked{.name = "good"};
  ModuleLoader loader({&linked}, {std::string(SAMPLE_FOLDER) + "/stripped"});
  EXPECT_EQ(*loader.find("good"), &linked);
  const TemporaryFolder folder;
  for (const char* name : {"b.so", "a.so", "no.txt", "not a name.so"}) write_file(folder.path() / name, {});
  EXPECT_THAT(ModuleLoader({&linked}, {folder.path(), "/nowhere"}).installed(), ElementsAre("a", "b", "good"));
}

}  // namespace
}  // namespace trivet::core

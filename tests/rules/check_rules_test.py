#!/usr/bin/env python3
"""The check itself: a small tree in which nothing is wrong, and for each rule the same tree with one violation."""
import os
import tempfile
import unittest

from check_rules import Check

SOUND = {
    "core/app/node.cpp": '#include "core/app/node.h"\n#include "trivet/module.h"\n#include <poll.h>\n',
    "core/app/names.cpp": '// "echo" is a module\nconst char* text = "echo and other";\n#include <string>\n',
    "sdk/src/net/checksum.cpp": '#include "trivet/net/endian.h"\n#include "ones_complement.h"\n',
    "sdk/src/packet.cpp": '#include "trivet/packet.h"\n#include "net/ones_complement.h"\n',
    "modules/echo/config.h": '#include "trivet/setup.h"\n',
    "modules/echo/worker_table.h": '#include "trivet/batch.h"\n',
    "modules/echo/commands.cpp": '#include "trivet/module.h"\n',
    "core/log/log_sink.cpp": "#include <spdlog/spdlog.h>\n",
    "core/app/daemon.cpp": "auto now = std::chrono::steady_clock::now();\n",
    "sdk/include/trivet/net/address.h": '#include "trivet/net/endian.h"\n#include <array>\n',
    "sdk/include/trivet/wire/arp.h": '#include "trivet/net/address.h"\n#include "trivet/wire/ethernet.h"\n',
    "sdk/include/trivet/module.h": '#include "trivet/batch.h"\n#include "trivet/wire/arp.h"\n',
    "sdk/src/wire/arp.cpp": '#include "trivet/wire/arp.h"\n#include "bytes.h"\n',
    "modules/echo/README.md": "# echo\n",
    "modules/echo/CMakeLists.txt": "trivet_add_module(echo)\n",
    "modules/echo/module.h": '#include "trivet/module.h"\n',
    "modules/echo/module.cpp": '#include "echo/module.h"\n#include "echo/engine.h"\n',
    "modules/echo/plugin.cpp": '#include "echo/module.h"\n#include "trivet/abi.h"\n',
    "modules/echo/engine.cpp": '#include "trivet/time.h"\n// steady_clock::now() is what we never call; nor rand()\n'
                               "Time last_time(Time time) { return operand(time) + random(); }\nconst char* text = \"time(0)\";\n",
    "modules/other/README.md": "# other\n",
    "modules/other/CMakeLists.txt": "trivet_add_module(other)\n",
    "modules/other/module.h": "\n",
    "modules/other/module.cpp": "\n",
    "modules/other/plugin.cpp": "\n",
    "modules/hc/README.md": "\n",
    "modules/hc/CMakeLists.txt": "\n",
    "modules/hc/module.h": "\n",
    "modules/hc/module.cpp": "\n",
    "modules/hc/plugin.cpp": "\n",
    "modules/hc/agent/main.cpp": "#include <CLI/CLI.hpp>\nint t = ::time(nullptr);\n",
    "tests/e2e/tools/prober.py": "time.sleep(0.1)\n",
    "tests/echo/engine_test.cpp": "TEST(A, B) {}  // no sleep_for here\n",
    "tests/other/a_test.cpp": "\n",
    "tests/hc/a_test.cpp": "\n",
    "tests/e2e/lab.cpp": "std::this_thread::sleep_for(2ms);\n",
}

# What is added to which file, and a part of what must be said about it.
VIOLATIONS = [
    ("modules/echo/worker.cpp", "#include <core/app/node.h>\n", 'module echo includes "core/app/node.h"'),
    ("modules/echo/worker.cpp", "#include <other/module.h>\n", 'module echo includes "other/module.h"'),
    ("modules/echo/worker.cpp", "#include <trivet/testkit/harness.h>\n", "module echo includes"),
    ("modules/echo/engine.cpp", "#include <trivet/host.h>\n", "in an engine or wire format"),
    ("modules/echo/table.h", '#include "trivet/host.h"\n', "in an engine or wire format"),
    ("modules/echo/responder.cpp", '#include "trivet/batch.h"\n', "in an engine or wire format"),
    ("modules/echo/config.h", '#include "trivet/module.h"\n', "in an engine or wire format"),
    ("modules/echo/moduletable.h", '#include "trivet/module.h"\n', "in an engine or wire format"),
    ("modules/echo/engine.cpp", '#include "trivet/snapshot.h"\n', "in an engine or wire format"),
    ("modules/echo/engine.cpp", "auto t = std::chrono::tai_clock::now();\n", "reads a clock"),
    ("modules/echo/engine.cpp", "auto t = std::chrono::file_clock::now();\n", "reads a clock"),
    ("modules/echo/engine.cpp", "auto t = __rdtsc();\n", "reads a clock"),
    ("modules/echo/engine.cpp", "auto t = __builtin_ia32_rdtscp(&core);\n", "reads a clock"),
    ("modules/echo/engine.cpp", "timespec_get(&now, TIME_UTC);\n", "reads a clock"),
    ("modules/echo/engine.cpp", "getentropy(buffer, 8);\n", "reads a clock"),
    ("modules/echo/engine.cpp", "auto t = clock();\n", "reads a clock"),
    ("modules/echo/engine.cpp", "int i = rand_r(&seed);\n", "reads a clock"),
    ("modules/echo/engine.cpp", "auto i = arc4random_uniform(9);\n", "reads a clock"),
    ("modules/echo/engine.cpp", "std::mt19937_64 random;\n", "reads a clock"),
    ("modules/echo/engine.cpp", "std::default_random_engine random;\n", "reads a clock"),
    ("sdk/src/net/checksum.cpp", '#include "trivet/wire/arp.h"\n', "is above net"),
    ("sdk/src/net/checksum.cpp", '#include "wire/bytes.h"\n', "is above net"),
    ("sdk/src/net/checksum.cpp", '#include "../wire/bytes.h"\n', "is above net"),
    ("sdk/src/wire/arp.cpp", '#include "trivet/packet.h"\n', "is above wire"),
    ("sdk/src/wire/arp.cpp", "#include <trivet/packet.h>\n", "is above wire"),
    ("sdk/src/packet.cpp", '#include "trivet/testkit/harness.h"\n', "is above sdk"),
    ("sdk/src/packet.cpp", "#include <echo/module.h>\n", "knows neither the core nor modules"),
    ("sdk/include/trivet/module.h", "#include <core/app/node.h>\n", "is above this header"),
    ("sdk/include/trivet/net/address.h", "#include <trivet/packet.h>\n", "is above this header"),
    ("core/app/node.cpp", "#include <echo/module.h>\n", "it names no module"),
    ("core/app/node.cpp", "#include <modules/echo/module.h>\n", "it names no module"),
    ("core/app/node.cpp", 'if (name == "echo") return;\n', 'the core says "echo"'),
    ("modules/echo/worker.cpp", '#include "core/app/node.h"\n', 'module echo includes "core/app/node.h"'),
    ("modules/echo/worker.cpp", '#include "other/module.h"\n', 'module echo includes "other/module.h"'),
    ("modules/echo/worker.cpp", '#include "trivet/testkit/harness.h"\n', "module echo includes"),
    ("modules/echo/engine.h", '#include "trivet/host.h"\n', "in an engine or wire format"),
    ("modules/echo/engine_table.cpp", '#include "trivet/batch.h"\n', "in an engine or wire format"),
    ("modules/echo/wire.h", '#include "trivet/module.h"\n', "in an engine or wire format"),
    ("modules/echo/agent_wire.cpp", '#include "trivet/module.h"\n', "in an engine or wire format"),
    ("modules/echo/schedulers/rr.h", '#include "trivet/batch.h"\n', "in an engine or wire format"),
    ("modules/echo/engine.cpp", "auto t = std::chrono::steady_clock::now();\n", "reads a clock"),
    ("modules/echo/engine.cpp", "using Clock = std::chrono::system_clock;\n", "reads a clock"),
    ("modules/echo/engine.cpp", "auto t = time(nullptr);\n", "reads a clock"),
    ("modules/echo/engine.cpp", "auto t = std::time(nullptr);\n", "reads a clock"),
    ("modules/echo/engine.cpp", "int i = rand();\n", "reads a clock"),
    ("modules/echo/engine.cpp", "std::random_device device;\n", "reads a clock"),
    ("sdk/src/time.cpp", "auto t = std::chrono::system_clock::now();\n", "reads a clock"),
    ("sdk/include/trivet/random.h", "std::random_device device;\n", "reads a clock"),
    ("sdk/testkit/src/harness.cpp", "std::this_thread::sleep_for(1s);\n", "sleeps"),
    ("modules/echo/worker.cpp", "usleep(10);\n", "sleeps"),
    ("tests/echo/engine_test.cpp", "::sleep(1);\n", "sleeps"),
    ("tests/echo/engine_test.cpp", "std::this_thread::sleep_for(1ms);\n", "sleeps"),
    ("tests/e2e/a_test.py", "time.sleep(1)\n", "sleeps"),
    ("tests/e2e/a_test.sh", "true; sleep 1\n", "sleeps"),
    ("sdk/include/trivet/net/address.h", '#include "trivet/wire/arp.h"\n', "is above this header"),
    ("sdk/include/trivet/net/address.h", '#include "trivet/packet.h"\n', "is above this header"),
    ("sdk/include/trivet/wire/arp.h", '#include "trivet/packet.h"\n', "is above this header"),
    ("sdk/include/trivet/module.h", '#include "core/app/node.h"\n', "is above this header"),
    ("sdk/include/trivet/module.h", '#include "trivet/testkit/harness.h"\n', "is above this header"),
    ("sdk/include/trivet/log.h", "#include <spdlog/spdlog.h>\n", "is for core/log/log_sink.cpp only"),
    ("sdk/include/trivet/log.h", "#include <fmt/format.h>\n", "only"),
    ("sdk/include/trivet/time.h", "#include <boost/asio.hpp>\n", "only"),
    ("sdk/include/trivet/time.h", "#include <boost/container/small_vector.hpp>\n", "part of the module ABI"),
    ("sdk/include/trivet/config.h", "#include <toml++/toml.h>\n", "only"),
    ("sdk/include/trivet/command.h", "#include <nlohmann/json.hpp>\n", "only"),
    ("sdk/include/trivet/command.h", "#include <CLI/CLI.hpp>\n", "only"),
    ("sdk/testkit/include/trivet/testkit/harness.h", '#include "core/app/node.h"\n', "only \"trivet/...\" is installed"),
    ("sdk/src/config.cpp", '#include "core/config/tree.h"\n', "knows neither the core nor modules"),
    ("core/app/node.cpp", '#include "echo/module.h"\n', "it names no module"),
    ("core/app/node.cpp", '#include "modules/echo/module.h"\n', "it names no module"),
    ("core/app/node.cpp", "#include <toml++/toml.h>\n", "only"),
    ("core/app/node.cpp", "#include <spdlog/spdlog.h>\n", "only"),
    ("core/app/node.cpp", "#include <boost/dll/shared_library.hpp>\n", "only"),
    ("core/app/node.cpp", "#include <boost/asio/io_context.hpp>\n", "only"),
    ("core/app/node.cpp", "#include <pcap/pcap.h>\n", "only"),
]


class CheckRules(unittest.TestCase):
    def violations(self, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = os.path.join(root, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            return Check(root).run()

    def test_nothing_is_said_about_a_sound_tree(self):
        self.assertEqual(self.violations(SOUND), [])

    def test_each_violation_is_found_alone_with_its_file_and_line(self):
        for file, text, said in VIOLATIONS:
            with self.subTest(file=file, text=text):
                before = SOUND.get(file, "")
                found = self.violations({**SOUND, file: before + text})
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith(f"{file}:{before.count(chr(10)) + 1}: "), found[0])
                self.assertIn(said, found[0])

    def test_a_module_folder_without_one_of_its_files_or_tests_is_found(self):
        for name in ("README.md", "module.h", "module.cpp", "plugin.cpp", "CMakeLists.txt"):
            files = {file: text for file, text in SOUND.items() if file != f"modules/other/{name}"}
            self.assertEqual(self.violations(files), [f"modules/other:0: has no {name}"])
        files = {file: text for file, text in SOUND.items() if not file.startswith("tests/other/")}
        self.assertEqual(self.violations(files), ["modules/other:0: has no tests in tests/other"])


if __name__ == "__main__":
    unittest.main()

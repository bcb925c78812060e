# What `cmake --install` lays out under the prefix:
#
#   bin/trivetd bin/trivet bin/bngagent     component runtime
#   lib/trivet/modules/*.so                 component runtime (trivet_add_module); found from ../ of the binary
#   include/trivet/  libtrivet_sdk.a        component sdk
#   libtrivet_testkit.a libtrivet_core.a    component testkit: the testkit runs whole nodes, so it needs the core
#   lib*/cmake/Trivet/                      component sdk: find_package(Trivet)
#
# The testkit is left out where it has not been built.
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Trivet)

install(TARGETS trivetd trivet RUNTIME DESTINATION bin COMPONENT runtime)

set_target_properties(trivet_sdk PROPERTIES EXPORT_NAME sdk)
install(TARGETS trivet_sdk EXPORT TrivetTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT sdk)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/sdk/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT sdk)
install(EXPORT TrivetTargets NAMESPACE Trivet:: DESTINATION ${package_folder} COMPONENT sdk)

if(TARGET trivet_testkit)
  set_target_properties(trivet_testkit PROPERTIES EXPORT_NAME testkit)
  set_target_properties(trivet_core PROPERTIES EXPORT_NAME core)
  install(TARGETS trivet_testkit trivet_core EXPORT TrivetTestkitTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT testkit OPTIONAL)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/sdk/testkit/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT testkit)
  install(EXPORT TrivetTestkitTargets NAMESPACE Trivet:: DESTINATION ${package_folder} COMPONENT testkit)
endif()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/TrivetConfig.cmake.in ${PROJECT_BINARY_DIR}/TrivetConfig.cmake
  INSTALL_DESTINATION ${package_folder} PATH_VARS CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/TrivetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/TrivetConfig.cmake ${PROJECT_BINARY_DIR}/TrivetConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/TrivetModule.cmake DESTINATION ${package_folder} COMPONENT sdk)

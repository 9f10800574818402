# cmake --install, and find_package(sgpt) afterwards: the target sgpt::sgpt is the whole library (static), its public
# headers lie in include/sgpt. Inside a bigger CMake project, add_subdirectory gives the same target.
include(CMakePackageConfigHelpers)

set(rooms sgpt_base sgpt_formats sgpt_text sgpt_tensor sgpt_backend sgpt_model sgpt_encode sgpt_retrieval sgpt_train)
add_library(sgpt_all INTERFACE)
set_target_properties(sgpt_all PROPERTIES EXPORT_NAME sgpt)
target_compile_features(sgpt_all INTERFACE cxx_std_20)
target_link_libraries(sgpt_all INTERFACE ${rooms})
add_library(sgpt::sgpt ALIAS sgpt_all)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/sgpt)
install(TARGETS sgpt_program RUNTIME)
install(TARGETS sgpt_all ${rooms} EXPORT sgpt_targets ARCHIVE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/sgpt DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT sgpt_targets NAMESPACE sgpt:: DESTINATION ${package_folder})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/sgptConfig.cmake.in ${PROJECT_BINARY_DIR}/sgptConfig.cmake
                              INSTALL_DESTINATION ${package_folder} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sgptConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sgptConfig.cmake ${PROJECT_BINARY_DIR}/sgptConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/Dependencies.cmake DESTINATION ${package_folder})

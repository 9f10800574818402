# The Python package: build/python/sgpt, importable from there (PYTHONPATH=build/python). Nothing else of the build needs
# Python; where its headers or pybind11 are missing, the package is left out, and a line says so.
# (What the room src/python may include is in src/CMakeLists.txt.)
if(NOT SGPT_PYTHON)
  return()
endif()
# Debian's own interpreter, whose packages pybind11-dev and python3-numpy are; another one only where it is named.
if(NOT DEFINED Python_EXECUTABLE AND EXISTS /usr/bin/python3)
  set(Python_EXECUTABLE /usr/bin/python3)
endif()
find_package(Python 3.9 QUIET COMPONENTS Interpreter Development.Module)
if(Python_FOUND)
  find_package(pybind11 2.10 CONFIG QUIET)
endif()
if(NOT pybind11_FOUND)
  message(STATUS "The Python package is left out: it needs python3-dev and pybind11-dev")
  return()
endif()
set(SGPT_PYTHON_FOUND ON)

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/python/*.cpp)
pybind11_add_module(sgpt_python MODULE NO_EXTRAS ${sources})
target_compile_definitions(sgpt_python PRIVATE SGPT_VERSION="${PROJECT_VERSION}")
target_link_libraries(sgpt_python PRIVATE sgpt_train sgpt_hub sgpt_warnings fmt::fmt)
set_target_properties(sgpt_python PROPERTIES OUTPUT_NAME _sgpt LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/python/sgpt)
# Another extension in the same process may have its own fmt or simdjson: nothing of ours is for it.
target_link_options(sgpt_python PRIVATE -Wl,--exclude-libs,ALL)
set(package ${PROJECT_SOURCE_DIR}/python/sgpt)
file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${package} ${package}/*.py ${package}/*.pyi ${package}/py.typed)
foreach(file IN LISTS files)
  configure_file(${package}/${file} ${PROJECT_BINARY_DIR}/python/sgpt/${file} COPYONLY)
endforeach()

# For wheels (pyproject.toml) alone: cmake --install is for the program and the C++ library.
install(TARGETS sgpt_python LIBRARY DESTINATION sgpt COMPONENT python EXCLUDE_FROM_ALL)

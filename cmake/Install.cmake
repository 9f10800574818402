# cmake --install, and find_package(sgpt) afterwards.

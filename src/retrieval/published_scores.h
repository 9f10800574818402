// What the SGPT models of the hub were published with, to stand beside our own numbers.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace sgpt {

struct PublishedSts {
  std::string_view model;
  double cosine_pearson;
  double cosine_spearman;
  std::string_view remark;  ///< "" or what is special about the numbers
};

struct PublishedUseb {
  std::string_view model;
  std::array<double, 5> scores;  ///< askubuntu, cqadupstack, twitterpara, scidocs and their mean, in percent
  std::string_view remark;
};

/// STS benchmark's test part. `model` is a name of the hub, or what a folder is called; empty when none is known.
std::vector<PublishedSts> published_sts(std::string_view model);
/// USEB's test part.
std::vector<PublishedUseb> published_useb(std::string_view model);

}  // namespace sgpt

# Reads Debian's Packages and Translation indexes from stdin and writes a BEIR folder: corpus.jsonl, queries.jsonl,
# qrels/train.tsv, qrels/test.tsv.   usage: debian_packages.pl FOLDER LANGUAGE < indexes
#
# A document is a package's long description alone (its _id is the package's name, which the text is not given), a query its
# one-line description. Packages that say nothing beyond that line are left out. Where several packages share a long
# description to the letter, the first by name stands for all, so that every query has exactly one right answer.
# 1,000 packages are held out for the test: those with the smallest hash of the name, hence the same ones everywhere.
use strict;
use warnings;

my $held_out = 1000;
my ($folder, $language) = @ARGV;
die "usage: $0 FOLDER LANGUAGE < indexes\n" unless defined $language;

# A paragraph of an index: Packages have Package and Description-md5; translations Description-md5 and Description-LANGUAGE,
# the short line first, then the long description, each line behind a space, " ." between paragraphs.
my (%md5_of, %lines_of);
$/ = "";
while (my $paragraph = <STDIN>) {
  my ($md5) = $paragraph =~ /^Description-md5: (\S+)/m or next;
  if ($paragraph =~ /^Description-\Q$language\E: (.*)\n((?: .*\n)*)/m) {
    $lines_of{$md5} //= [$1, $2];
  } elsif ($paragraph =~ /^Package: (\S+)/m) {
    $md5_of{$1} //= $md5;
  }
}

sub one_line {
  my ($text) = @_;
  $text =~ s/^ +\.$//mg;
  $text =~ s/\s+/ /g;
  $text =~ s/^ | $//g;
  return $text;
}

sub json {
  my ($text) = @_;
  $text =~ s/(["\\])/\\$1/g;
  $text =~ s/([\x00-\x1f])/sprintf("\\u%04x", ord($1))/ge;
  return "\"$text\"";
}

# FNV-1a, 64 bits: spreads names evenly, and is a line of code anywhere.
sub hash_of {
  my ($name) = @_;
  use integer;
  my $hash = -3750763034362895579;
  $hash = ($hash ^ $_) * 1099511628211 for unpack("C*", $name);
  return $hash;
}

my (%question, %answer, %seen);
my ($silent, $twins) = (0, 0);
for my $name (sort keys %md5_of) {
  my $lines = $lines_of{$md5_of{$name}} or next;
  my ($short, $long) = map { one_line($_) } @$lines;
  if ($short eq "" || $long eq "") { $silent++; next; }
  if ($seen{$long}++) { $twins++; next; }
  ($question{$name}, $answer{$name}) = ($short, $long);
}
my @names = sort keys %answer;
die "debian_packages: only " . @names . " packages have a long description: the catalogue is not complete\n"
  if @names < 10 * $held_out;
my @by_hash = sort { hash_of($a) <=> hash_of($b) || $a cmp $b } @names;
my %in_test = map { $_ => 1 } @by_hash[0 .. $held_out - 1];

sub create {
  my ($path) = @_;
  open(my $file, ">", "$folder/$path") or die "debian_packages: cannot write $folder/$path: $!\n";
  return $file;
}

my $corpus = create("corpus.jsonl");
my $queries = create("queries.jsonl");
my %qrels = (train => create("qrels/train.tsv"), test => create("qrels/test.tsv"));
print {$_} "query-id\tcorpus-id\tscore\n" for values %qrels;
for my $name (@names) {
  # "?" is in no package's name: a query never has the id of a document, which a search would take for the query itself.
  print $corpus '{"_id": ', json($name), ', "title": "", "text": ', json($answer{$name}), "}\n";
  print $queries '{"_id": ', json("$name?"), ', "text": ', json($question{$name}), "}\n";
  print {$qrels{$in_test{$name} ? "test" : "train"}} "$name?\t$name\t1\n";
}
for my $file ($corpus, $queries, values %qrels) {
  close($file) or die "debian_packages: cannot write to $folder: $!\n";
}
printf "%d packages: %d to train on, %d held out for the test. Left out: %d whose long description another one has, %d " .
       "without any.\n", scalar @names, @names - $held_out, $held_out, $twins, $silent;

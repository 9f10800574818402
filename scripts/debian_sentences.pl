# Reads Debian's Packages indexes from stdin and writes AllNLI.tsv and stsbenchmark.tsv.   usage: debian_sentences.pl FOLDER
#
# The likeness of two packages is the number of tags that both have, divided by that of those that one has (Jaccard). A
# package's partner in "entailment" is the most alike of the 40 that follow it in its section (in the order of a hash),
# where they are half alike; in "contradiction" the first of them that shares no tag. Packages of one source are held
# together: a tenth of the sources is for the dev part, a tenth for the test part, and none of these trains. Their pairs
# are, by turns, a package's most alike, its third most alike and a stranger; the score is five times the likeness.
use strict;
use warnings;

my ($folder) = @ARGV;
die "usage: $0 FOLDER < indexes\n" unless defined $folder;

sub hash_of {
  my ($name) = @_;
  use integer;
  my $hash = -3750763034362895579;
  $hash = ($hash ^ $_) * 1099511628211 for unpack("C*", $name);
  return ($hash >> 8) & 0xffffffff;
}

my (%packages, %seen);
$/ = "";
while (my $paragraph = <STDIN>) {
  my ($name) = $paragraph =~ /^Package: (\S+)/m or next;
  my ($text) = $paragraph =~ /^Description: (.*)$/m or next;
  my ($tags) = $paragraph =~ /^Tag: (.*(?:\n .*)*)/m or next;
  my ($section) = $paragraph =~ /^Section: (\S+)/m or next;
  my ($source) = $paragraph =~ /^Source: (\S+)/m;
  my %tags = map { $_ => 1 } grep { !/^(?:implemented-in|role|interface|uitoolkit|suite|admin|special)::/ }
             split /[\s,]+/, $tags =~ s/\{([^}]*)\}/$1/gr;
  next if keys %tags < 2 || $text =~ /\t/ || $seen{$text}++;
  my $lot = hash_of($source // $name) % 10;
  push @{$packages{$lot == 0 ? "dev" : $lot == 1 ? "test" : "train"}},
       {name => $name, text => $text, tags => \%tags, section => $section};
}

sub likeness {
  my ($a, $b) = @_;
  my $both = grep { $b->{tags}{$_} } keys %{$a->{tags}};
  return $both / (keys(%{$a->{tags}}) + keys(%{$b->{tags}}) - $both);
}

sub create {
  my ($name) = @_;
  open(my $file, ">", "$folder/$name") or die "debian_sentences: cannot write $folder/$name: $!\n";
  return $file;
}

# Calls work(package, those that follow it in the order of the hash, the most alike first).
sub each_with_neighbours {
  my ($part, $same_section, $work) = @_;
  my %groups;
  push @{$groups{$same_section ? $_->{section} : ""}}, $_ for @{$packages{$part}};
  for my $key (sort keys %groups) {
    my @list = sort { hash_of($a->{name}) <=> hash_of($b->{name}) || $a->{name} cmp $b->{name} } @{$groups{$key}};
    for my $i (0 .. $#list) {
      my $last = $i + 40 > $#list ? $#list : $i + 40;
      my @near = @list[$i + 1 .. $last];
      my %alike = map { $_->{name} => likeness($list[$i], $_) } @near;
      @near = sort { $alike{$b->{name}} <=> $alike{$a->{name}} || $a->{name} cmp $b->{name} } @near;
      $work->($list[$i], \@near, \%alike) if @near > 3;
    }
  }
}

my $nli = create("AllNLI.tsv");
my ($rows, $pairs) = (0, 0);
print $nli "split\tlabel\tsentence1\tsentence2\n";
each_with_neighbours("train", 1, sub {
  my ($package, $near, $alike) = @_;
  my ($best, $stranger) = ($near->[0], $near->[-1]);
  return if $alike->{$best->{name}} < 0.5 || $alike->{$stranger->{name}} > 0;
  print $nli "train\tentailment\t$package->{text}\t$best->{text}\ntrain\tcontradiction\t$package->{text}\t$stranger->{text}\n";
  $rows += 2;
});
my $sts = create("stsbenchmark.tsv");
print $sts "split\tscore\tsentence1\tsentence2\n";
for my $part ("dev", "test") {
  my $turn = 0;
  each_with_neighbours($part, 0, sub {
    my ($package, $near, $alike) = @_;
    my $other = $near->[(0, 2, -1)[$turn++ % 3]];
    printf $sts "%s\t%.3f\t%s\t%s\n", $part, 5 * $alike->{$other->{name}}, $package->{text}, $other->{text};
    $pairs++;
  });
}
for my $file ($nli, $sts) { close($file) or die "debian_sentences: cannot write to $folder: $!\n"; }
print "$rows rows to train on, $pairs pairs to score\n";

#!/usr/bin/perl
# Writes a data set in the form of the MS MARCO files that sgpt train reads, of any size, from any BEIR folder.
#   usage: make_msmarco.pl BEIR_FOLDER OUT_FOLDER [--passages N] [--queries N] [--negatives N] [--seed N]
#
# Passages beyond those of the corpus are mixed from two of them, queries beyond the judged ones from two of
# those. Positives are the judged documents (of train, or else dev, or else test); one judged query in ten, 1,000 at most,
# is held out for dev. Negatives: bm25 shares rare words with the query, the other systems are random with some of bm25's.
# The cross-encoder's scores are drawn: positives around 8, negatives around -2, so that the margin has something to do.
# Needs only perl and gzip. The same arguments give the same files.
use strict;
use warnings;
use integer;

my ($passages, $queries, $negatives, $seed) = (0, 0, 20, 0);
my @folders;
while (defined(my $word = shift @ARGV)) {
  my %option = ("--passages" => \$passages, "--queries" => \$queries, "--negatives" => \$negatives, "--seed" => \$seed);
  if ($option{$word}) {
    my $value = shift @ARGV // "";
    $value =~ /^\d+$/ or die "$0: $word: expected a whole number, found '$value'\n";
    ${$option{$word}} = $value;
  } elsif ($word =~ /^-/) {
    die "$0: unknown option $word\n";
  } else {
    push @folders, $word;
  }
}
@folders == 2 or die "usage: $0 BEIR_FOLDER OUT_FOLDER [--passages N] [--queries N] [--negatives N] [--seed N]\n";
my ($beir, $out) = @folders;

# A linear congruential generator (Knuth's MMIX): the same numbers everywhere, whatever perl's own rand does.
my $state = $seed * 2862933555777941757 + 3037000493;
sub below {
  my ($bound) = @_;
  $state = $state * 6364136223846793005 + 1442695040888963407;
  return (($state >> 33) & 0x3fffffff) % $bound;
}
sub gaussian {
  no integer;
  return below(1000) / 1000 + below(1000) / 1000 + below(1000) / 1000 - 1.5;    # variance 1/4
}

# --- the BEIR folder ------------------------------------------------------------------------------------------------

# The string (or number) under a key of a JSON line, without tabs and line ends; "" when there is none. (Written out,
# since the smallest perl has no JSON module.)
my %escape = (n => " ", t => " ", r => " ", b => " ", f => " ");
sub utf8 {
  my ($hex) = @_;
  my $letter = chr(hex $hex);
  utf8::encode($letter);
  return $letter;
}
sub value {
  my ($line, $key) = @_;
  return $1 if $line =~ /"$key"\s*:\s*(-?\d+)/;
  $line =~ /"$key"\s*:\s*"((?:[^"\\]|\\.)*)"/ or return "";
  my $text = $1;
  $text =~ s/\\u(d[89ab]..)\\u(d[c-f]..)/utf8(sprintf "%x", 0x10000 + ((hex($1) & 0x3ff) << 10) + (hex($2) & 0x3ff))/gei;
  $text =~ s/\\(?:u([0-9a-fA-F]{4})|(.))/defined $1 ? utf8($1) : $escape{$2} \/\/ $2/ge;
  $text =~ s/[\s\x00-\x1f]+/ /g;
  $text =~ s/^ | $//g;
  return $text;
}

sub input {
  my ($name) = @_;
  open my $file, "<:raw", "$beir/$name" or die "$0: $beir/$name: $!\n";
  return $file;
}

my (@text, %pid_of);
my $corpus = input("corpus.jsonl");
while (<$corpus>) {
  my $text = join " ", grep { $_ ne "" } value($_, "title"), value($_, "text");
  next if $text eq "";
  $pid_of{value($_, "_id")} = @text;
  push @text, $text;
}
@text > 1 or die "$0: $beir/corpus.jsonl has fewer than two documents with a text\n";

my %query_text;
my $lines = input("queries.jsonl");
while (<$lines>) { $query_text{value($_, "_id")} = value($_, "text"); }

my ($split) = grep { -e "$beir/qrels/$_.tsv" } qw(train dev test) or die "$0: $beir/qrels has no train, dev or test.tsv\n";
my %positives;    # query id → pids
my $qrels = input("qrels/$split.tsv");
<$qrels>;
while (<$qrels>) {
  s/\r?\n$//;
  my ($query, $document, $relevance) = split /\t/;
  next unless defined $relevance && $relevance > 0 && defined $pid_of{$document} && ($query_text{$query} // "") ne "";
  push @{$positives{$query}}, $pid_of{$document};
}
my @judged = map { {text => $query_text{$_}, positives => $positives{$_}} } sort keys %positives;
@judged > 1 or die "$0: $beir/qrels/$split.tsv names fewer than two queries with a document of the corpus\n";

# --- passages -------------------------------------------------------------------------------------------------------

mkdir $out unless -d $out;
sub output {
  my ($name) = @_;
  $name =~ /\.gz$/ && $out =~ /'/ and die "$0: a folder with a quote in its name is not supported: $out\n";
  my $file;
  ($name =~ /\.gz$/ ? open($file, "|-:raw", "gzip -1 > '$out/$name'") : open($file, ">:raw", "$out/$name"))
    or die "$0: $out/$name: $!\n";
  return $file;
}
sub finish {
  my ($file, $name) = @_;
  close $file or die "$0: $out/$name: writing failed; is the disk full?\n";
}

my $half_words = 56;    # of the two; a passage of MS MARCO has 56 on average
sub mixed {
  my ($first, $second) = @_;
  my @first = split / /, $first, $half_words + 2;
  my @second = split / /, $second, $half_words + 2;
  $#first = $half_words if @first > $half_words;    # the last one is all the rest
  $#second = $half_words if @second > $half_words;
  return join " ", @first[0 .. $#first / 2], @second[@second / 2 .. $#second];
}

$passages ||= @text;
$passages >= @text or die "$0: --passages $passages is fewer than the corpus has (" . @text . ")\n";
my $collection = output("collection.tsv");
print $collection "$_\t$text[$_]\n" for 0 .. $#text;
print $collection "$_\t", mixed($text[below(scalar @text)], $text[below(scalar @text)]), "\n" for @text .. $passages - 1;
finish($collection, "collection.tsv");

# --- queries --------------------------------------------------------------------------------------------------------

my $held_out = @judged / 10 < 1000 ? @judged / 10 : 1000;
$held_out ||= 1;
my @dev = map { splice @judged, below(scalar @judged), 1 } 1 .. $held_out;
$queries ||= @judged;

my $dev_queries = output("queries.dev.small.tsv");
my $dev_qrels = output("qrels.dev.tsv");
for my $i (0 .. $#dev) {
  my $qid = 2_000_000 + $i;
  print $dev_queries "$qid\t$dev[$i]{text}\n";
  print $dev_qrels "$qid\t0\t$_\t1\n" for @{$dev[$i]{positives}};
}
finish($dev_queries, "queries.dev.small.tsv");
finish($dev_qrels, "qrels.dev.tsv");

# --- negatives and scores -------------------------------------------------------------------------------------------

my %documents_with;    # word → pids
for my $pid (0 .. $#text) {
  my %seen;
  push @{$documents_with{$_}}, $pid for grep { !$seen{$_}++ } map { lc } $text[$pid] =~ /(\w{3,})/g;
}
sub lexical {
  no integer;
  my ($query) = @_;
  my %score;
  for my $word (map { lc } $query->{text} =~ /(\w{3,})/g) {
    my $documents = $documents_with{$word} or next;
    next if @$documents > 2000;    # says little, costs much
    $score{$_} += 1 / @$documents for @$documents;
  }
  my @best = sort { $score{$b} <=> $score{$a} || $a <=> $b } keys %score;
  return [@best > $negatives ? @best[0 .. $negatives - 1] : @best];
}

sub integer_opcode {
  my ($value) = @_;
  return $value < 256 ? "K" . chr($value) : $value < 65536 ? "M" . pack("v", $value) : "J" . pack("V", $value);
}
# A dict as Python's pickle writes it: up to 1000 entries between a mark and SETITEMS.
sub dict {
  my (@entries) = @_;
  my $pickle = "}\x94";
  while (my @some = splice @entries, 0, 1000) { $pickle .= "(" . join("", @some) . "u"; }
  return $pickle;
}

my @systems = qw(bm25 msmarco-distilbert-base-tas-b msmarco-MiniLM-L-6-v3);
my $train_queries = output("queries.train.tsv");
my $jsonl_name = "msmarco-hard-negatives.jsonl.gz";
my $scores_name = "cross-encoder-ms-marco-MiniLM-L-6-v2-scores.pkl.gz";
my $jsonl = output($jsonl_name);
my $scores = output($scores_name);
print $scores "\x80\x04}\x94";
my @frame;
sub flush_frame {
  my $body = join "", "(", @frame, "u";
  print $scores "\x95", pack("Q<", length $body), $body if @frame;
  @frame = ();
}
for my $i (0 .. $queries - 1) {
  my $judged = $judged[$i % @judged];
  my $qid = 1000 + $i;
  my $query = $i < @judged ? $judged->{text} : mixed($judged->{text}, $judged[below(scalar @judged)]{text});
  print $train_queries "$qid\t$query\n";
  my %positive = map { $_ => 1 } @{$judged->{positives}};
  $judged->{lexical} //= [grep { !$positive{$_} } @{lexical($judged)}];
  my %of = (bm25 => $judged->{lexical});
  for my $system (@systems[1 .. $#systems]) {
    my @some = grep { below(2) } @{$judged->{lexical}};
    push @some, below($passages) while @some < $negatives;
    my %seen;
    $of{$system} = [grep { !$positive{$_} && !$seen{$_}++ } @some];
  }
  my @fields = map { "\"$_\": [" . join(", ", @{$of{$_}}) . "]" } @systems;
  print $jsonl "{\"qid\": $qid, \"pos\": [", join(", ", @{$judged->{positives}}), "], \"neg\": {", join(", ", @fields), "}}\n";
  my %score;
  no integer;
  $score{$_} //= -2 + 6 * gaussian() for map { @{$of{$_}} } @systems;
  $score{$_} = 8 + 2 * gaussian() for keys %positive;
  push @frame, integer_opcode($qid) . dict(map { integer_opcode($_) . "G" . pack("d>", $score{$_}) } sort { $a <=> $b } keys %score);
  flush_frame() if @frame == 1000;
}
flush_frame();
print $scores ".";
finish($train_queries, "queries.train.tsv");
finish($jsonl, $jsonl_name);
finish($scores, $scores_name);
print STDERR "$out: $passages passages, $queries training queries, ", scalar(@dev), " dev queries\n";

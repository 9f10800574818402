"""Makes the golden numbers beside this file, with transformers, tokenizers and pytrec_eval: small enough to lie in the
repository, so that a clone proves itself. The layout is the one of a fixtures folder (tests/fixtures.h).

usage: make_golden.py [FOLDER]     needs: torch transformers tokenizers safetensors pytrec_eval-terrier
"""
import json
import math
import random
import sys
from pathlib import Path

import pytrec_eval
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
MODES = ("weightedmean", "mean", "mean_sqrt_len", "max", "cls", "lasttoken")
SCALE, LR, WARM_UP, STEPS, TOTAL, CLIP, DECAY = 20.0, 4e-4, 2, 3, 20, 1.0, 0.01
BETAS, EPS = (0.9, 0.999), 1e-6

QUERIES = """how do I edit photos?
play chess online
which bird flies highest
what makes bread rise
naïve café — 東京 🚀
speed of sound in air
draw a map of the stars
why is the sky blue""".splitlines()
PASSAGES = """A photo editor changes colours, crops and joins pictures; layers keep the original as it was.
This program plays chess against you or against others over the network, with clocks and a book of openings.
Geese have been seen above nine thousand metres, where the air holds a third of the oxygen.
Yeast eats sugar and gives off gas, which the gluten of the dough holds back in bubbles.
Das Café liegt am Ufer; im Sommer stehen die Tische unter den Bäumen. Öffnungszeiten: 8–18 Uhr.
Sound travels 343 metres in a second through dry air at 20 °C, and faster where it is warmer.
Star charts show the brightest stars with their names, constellations, and the ecliptic.
Small molecules scatter short waves more than long ones, so blue light comes from everywhere.
A spreadsheet computes sums, means and charts; formulas refer to other cells by their places.
The compiler turns C++ into machine code; warnings are errors here, and every test must pass.
Bridges expand in the heat: gaps between their parts, covered by combs of steel, leave room for it.
Пчёлы танцуют, чтобы показать дорогу к цветам: угол к солнцу и длина танца говорят всё.
東京は日本の首都です。人口は約一千四百万人です。
Tea leaves are withered, rolled, left to oxidise, and dried; green tea skips the third step.
An index keeps, for each word, the list of the texts that hold it, sorted, with differences packed.
Tides follow the moon, twice a day, and are highest when sun and moon pull in one line.""".splitlines()


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def bloom_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(" ?[^(\\s|[.,!?…。，、।۔،])]+"), "isolated", False)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=True, trim_offsets=True, use_regex=False)
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=True, trim_offsets=False, use_regex=False)
    special = [AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>", "<pad>")]
    trainer = trainers.BpeTrainer(vocab_size=320, show_progress=False, special_tokens=special,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(QUERIES + PASSAGES, trainer)
    return tokenizer


def gpt2_tokenizer(trained):
    """The same merges in GPT-2's manner: its own pattern, one special token, at the end."""
    kept = json.loads(trained.to_str())["model"]
    vocab = {}
    for piece in sorted((p for p in kept["vocab"] if not p.startswith("<")), key=kept["vocab"].get):
        vocab[piece] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m) if isinstance(m, list) else tuple(m.split(" "))
                                                          for m in kept["merges"]]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
    return tokenizer


def write_tokenizer(name, tokenizer):
    texts = QUERIES + PASSAGES + ["", " ", "  two  spaces \n\tand a tab", "<s>x</s>", "don't I'LL we've", "a\u0301 é ﬁ", "1234 ½ ²"]
    cases = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        cases.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
    write_json(OUT / "tokenizers" / name / "cases.json", cases)
    tokenizer.save(str(OUT / "tokenizers" / name / "tokenizer.json"), pretty=False)


def random_weights(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in model.named_parameters():
            noise = torch.empty_like(values).normal_(generator=generator)
            if name.endswith("bias"):
                values.copy_(0.1 * noise)
            elif values.dim() == 1:
                values.copy_(1 + 0.1 * noise)
            else:
                values.copy_(0.2 * noise)
    return model.eval()


class Folder:
    """A sentence-transformers folder of a random model, and what it must compute."""

    def __init__(self, name, model, tokenizer, hidden, max_seq_length):
        self.path, self.model, self.tokenizer, self.limit = OUT / "models" / name, model, tokenizer, max_seq_length
        self.random = random.Random(name)
        model.save_pretrained(self.path)
        (self.path / "generation_config.json").unlink(missing_ok=True)
        tokenizer.save(str(self.path / "tokenizer.json"), pretty=False)
        st = "sentence_transformers.models."
        write_json(self.path / "modules.json", [{"idx": 0, "name": "0", "path": "", "type": st + "Transformer"},
                                                {"idx": 1, "name": "1", "path": "1_Pooling", "type": st + "Pooling"}])
        write_json(self.path / "sentence_bert_config.json", {"max_seq_length": max_seq_length, "do_lower_case": False})
        modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
        write_json(self.path / "1_Pooling" / "config.json",
                   {"word_embedding_dimension": hidden} | {f"pooling_mode_{m}": m == "weightedmean_tokens" for m in modes})

    def ids(self, text, is_query):
        def encode(t):
            return self.tokenizer.encode(t, add_special_tokens=False).ids
        opening, closing = "[]" if is_query else "{}"
        return encode(opening) + encode(text.strip())[:self.limit - 2] + encode(closing)

    def hidden(self, ids):
        """[T, d] of one text, alone: no padding can matter."""
        base = getattr(self.model, "transformer", self.model)
        return base(torch.tensor([ids])).last_hidden_state[0]

    @staticmethod
    def pooled(h, mode):
        positions = torch.arange(1, len(h) + 1, dtype=h.dtype)[:, None]
        return {"weightedmean": lambda: (h * positions).sum(0) / positions.sum(),
                "mean": lambda: h.mean(0),
                "mean_sqrt_len": lambda: h.sum(0) / math.sqrt(len(h)),
                "max": lambda: h.max(0).values,
                "cls": lambda: h[0],
                "lasttoken": lambda: h[-1]}[mode]()

    def write_encode(self):
        texts = [(q, True) for q in QUERIES[:5]] + [(p, False) for p in PASSAGES[:3] + PASSAGES[11:13]] + [("", True), (PASSAGES[0] + " " + PASSAGES[1], False)]
        cases, tensors = [], {}
        with torch.no_grad():
            for i, (text, is_query) in enumerate(texts):
                ids = self.ids(text, is_query)
                h = self.hidden(ids)
                cases.append({"text": text, "is_query": is_query, "ids": ids})
                for mode in MODES:
                    tensors[f"{i}.{mode}"] = self.pooled(h, mode).clone()
                if i == 6:
                    tensors[f"{i}.last_hidden_state"] = h.clone()
        write_json(self.path / "encode_cases.json", cases)
        save_file(tensors, self.path / "encode_expected.safetensors")

    def loss(self, batch):
        def unit(texts, is_query):
            rows = [self.pooled(self.hidden(self.ids(t, is_query)), "weightedmean") for t in texts]
            return torch.nn.functional.normalize(torch.stack(rows), dim=1)
        queries = unit([b["query"] for b in batch], True)
        documents = unit([b["positive"] for b in batch] + [b["negative"] for b in batch], False)
        return torch.nn.functional.cross_entropy(SCALE * queries @ documents.T, torch.arange(len(batch)))

    def write_training(self, bitfit):
        tag = "bitfit" if bitfit else "full"
        start = {name: values.clone() for name, values in self.model.state_dict().items()}
        trained = {}
        for name, values in self.model.named_parameters():
            values.requires_grad_(not bitfit or "bias" in name)
            if values.requires_grad:
                trained[name.removeprefix("transformer.")] = values
        first = {name: torch.zeros_like(v) for name, v in trained.items()}
        second = {name: torch.zeros_like(v) for name, v in trained.items()}
        batches, log = [], []
        for step in range(STEPS):
            places = self.random.sample(range(len(QUERIES)), 4)
            batch = [{"query": QUERIES[i], "positive": PASSAGES[i], "negative": PASSAGES[(i + 5) % len(PASSAGES)]} for i in places]
            loss = self.loss(batch)
            self.model.zero_grad()
            loss.backward()
            if step == 0:
                save_file({n: v.grad.clone().contiguous() for n, v in trained.items()}, self.path / f"train_{tag}_grads.safetensors")
            norm = torch.nn.utils.clip_grad_norm_(list(trained.values()), CLIP)
            lr = LR * (step / WARM_UP if step < WARM_UP else (TOTAL - step) / (TOTAL - WARM_UP))
            self.adamw(trained, first, second, step + 1, lr)
            batches.append(batch)
            log.append({"loss": loss.item(), "grad_norm": norm.item(), "lr": lr})
        write_json(self.path / f"train_{tag}.json", {
            "freeze_non_bias": bitfit, "batch_size": 4, "lr": LR, "warmup_steps": WARM_UP, "total_steps": TOTAL, "weight_decay": DECAY,
            "max_grad_norm": CLIP, "adam": {"beta1": BETAS[0], "beta2": BETAS[1], "eps": EPS}, "scale": SCALE,
            "max_seq_length": self.limit, "batches": batches, "log": log})
        save_file({n: v.detach().clone().contiguous() for n, v in trained.items()}, self.path / f"train_{tag}_final.safetensors")
        self.model.load_state_dict(start)

    @staticmethod
    @torch.no_grad()
    def adamw(trained, first, second, t, lr):
        """As the AdamW that transformers had: epsilon is not bias-corrected, and decay comes after the step."""
        for name, values in trained.items():
            first[name].lerp_(values.grad, 1 - BETAS[0])
            second[name].mul_(BETAS[1]).addcmul_(values.grad, values.grad, value=1 - BETAS[1])
            step = lr * math.sqrt(1 - BETAS[1] ** t) / (1 - BETAS[0] ** t)
            values.sub_(step * first[name] / (second[name].sqrt() + EPS))
            if not any(part in name for part in ("bias", "LayerNorm.bias", "LayerNorm.weight")):
                values.sub_(lr * DECAY * values)


def write_metrics():
    draw = random.Random("metrics")
    qrels, run = {}, {}
    for q in range(12):
        documents = [f"d{i}" for i in draw.sample(range(400), 150)]
        qrels[f"q{q}"] = {d: draw.choice([0, 1, 1, 2, 3]) for d in draw.sample(documents, draw.randint(1, 20))}
        # One decimal in every other query: many ties.
        run[f"q{q}"] = {d: round(draw.random(), 1 if q % 2 else 6) for d in documents[:draw.randint(1, 140)]}
    qrels["not found"] = {"d1": 1}
    run["not judged"] = {"d1": 1.0}
    measures = {f"{name}.1,3,5,10,100,1000" for name in ("map_cut", "ndcg_cut", "recall", "P")}
    per_query = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    names = next(iter(per_query.values()))
    mean = {name: round(sum(values[name] for values in per_query.values()) / len(per_query), 5) for name in names}
    write_json(OUT / "metrics" / "case.json", {"qrels": qrels, "run": run, "per_query": per_query, "mean_rounded_5": mean})


class Today:
    """A decoder of today in a plain folder, ids in place of texts: what it must compute, and the gradients of one step."""

    def __init__(self, name, model, vocabulary):
        self.path, self.model, self.random = OUT / "models-today" / name, model, random.Random(name)
        self.vocabulary = vocabulary
        model.save_pretrained(self.path)
        (self.path / "generation_config.json").unlink(missing_ok=True)

    def ids(self, length):
        return [self.random.randrange(self.vocabulary) for _ in range(length)]

    def hidden(self, ids):
        return self.model(torch.tensor([ids])).last_hidden_state[0]

    def write_encode(self):
        cases, tensors = [], {}
        with torch.no_grad():
            for i, length in enumerate((1, 2, 7, 19, 30)):
                ids = self.ids(length)
                h = self.hidden(ids)
                cases.append({"ids": ids})
                tensors[f"{i}.last_hidden_state"] = h.clone()
                for mode in MODES:
                    tensors[f"{i}.{mode}"] = Folder.pooled(h, mode).clone()
        write_json(self.path / "encode_cases.json", cases)
        save_file(tensors, self.path / "encode_expected.safetensors")

    def write_training(self):
        ids = {"queries": [self.ids(5), self.ids(9)], "documents": [self.ids(n) for n in (12, 7, 1, 16)]}

        def unit(texts):
            return torch.nn.functional.normalize(torch.stack([self.hidden(t)[-1] for t in texts]), dim=1)
        scores = SCALE * unit(ids["queries"]) @ unit(ids["documents"]).T
        loss = torch.nn.functional.cross_entropy(scores, torch.arange(len(scores)))
        loss.backward()
        save_file({n: v.grad.clone().contiguous() for n, v in self.model.named_parameters()},
                  self.path / "train_full_grads.safetensors")
        write_json(self.path / "train_full.json", {"pooling": "lasttoken", "scale": SCALE, "ids": ids, "log": [{"loss": loss.item()}]})


def write_today():
    sizes = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "max_position_embeddings": 64, "use_cache": False, "attention_dropout": 0.0}
    qwen3 = transformers.Qwen3Config(**sizes, head_dim=6, use_sliding_window=True, sliding_window=5, max_window_layers=1,
                                     tie_word_embeddings=True)
    gemma3 = transformers.Gemma3TextConfig(**sizes, head_dim=6, query_pre_attn_scalar=5, sliding_window=9,
                                           layer_types=["sliding_attention", "full_attention"],
                                           use_bidirectional_attention=True)
    for name, model in (("golden-qwen3", transformers.Qwen3Model(qwen3)), ("golden-embeddinggemma", transformers.Gemma3TextModel(gemma3))):
        model.set_attn_implementation("eager")
        today = Today(name, random_weights(model, 1), sizes["vocab_size"])
        today.write_encode()
        today.write_training()


def write_model(name, model, tokenizer):
    folder = Folder(name, random_weights(model, 1), tokenizer, model.config.hidden_size, 40)
    folder.write_encode()
    folder.write_training(bitfit=True)
    folder.write_training(bitfit=False)


def main():
    torch.manual_seed(1)
    bloom = bloom_tokenizer()
    write_tokenizer("tiny-bloom", bloom)
    config = transformers.BloomConfig(vocab_size=bloom.get_vocab_size() + 8, hidden_size=24, n_layer=2, n_head=3,
                                      hidden_dropout=0.0, attention_dropout=0.0, use_cache=False)
    write_model("golden-bloom", transformers.BloomModel(config), bloom)

    # Two heads of 8; windows of 4 and rotary positions for half of a head, so that both are seen.
    gpt2 = gpt2_tokenizer(bloom)
    write_tokenizer("tiny-gpt2", gpt2)
    sizes = {"vocab_size": gpt2.get_vocab_size(), "use_cache": False}
    config = transformers.GPT2Config(**sizes, n_embd=16, n_layer=2, n_head=2, n_positions=40, resid_pdrop=0.0,
                                     embd_pdrop=0.0, attn_pdrop=0.0)
    write_model("golden-gpt2", transformers.GPT2Model(config), gpt2)
    config = transformers.GPTNeoConfig(**sizes, hidden_size=16, num_layers=2, num_heads=2, max_position_embeddings=40,
                                       attention_types=[[["global", "local"], 1]], window_size=4, resid_dropout=0.0,
                                       embed_dropout=0.0, attention_dropout=0.0)
    write_model("golden-gpt-neo", transformers.GPTNeoModel(config), gpt2)
    config = transformers.GPTJConfig(**sizes, n_embd=16, n_layer=2, n_head=2, n_positions=40, rotary_dim=4,
                                     resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    write_model("golden-gptj", transformers.GPTJModel(config), gpt2)
    write_today()
    write_metrics()


main()

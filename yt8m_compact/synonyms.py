"""What other libraries call the flags and values that there are here."""

# The words of Keras, PyTorch, Lightning, Hugging Face and timm, in lower case
# with underscores; and what they mean here, of which a program may have some
# only: the first one that it has is meant.
SYNONYMS: dict[str, tuple[str, ...]] = {
    word: tuple(meant.split())
    for words, meant in {
        # Training.
        "lr learning_rate eta initial_learning_rate": "base_learning_rate",
        "epoch epochs n_epochs max_epochs num_train_epochs": "num_epochs",
        "bs b batch batches batchsize train_batch_size mini_batch_size "
        "per_device_train_batch_size global_batch_size": "batch_size",
        "steps num_steps train_steps total_steps max_train_steps iters "
        "num_iterations max_iters": "max_steps",
        "loss loss_fn loss_function criterion objective": "label_loss",
        "opt optim optimiser": "optimizer",
        "wd l2 decay": "weight_decay l2_penalty",
        "scheduler sched lr_schedule lr_scheduler lr_scheduler_type "
        "schedule": "learning_rate_schedule",
        "gamma lr_decay decay_rate": "learning_rate_decay",
        "warmup warmup_epochs num_warmup_steps lr_warmup_steps": "warmup_steps",
        "min_lr eta_min final_lr": "final_learning_rate_fraction",
        "clip clipnorm clipvalue clip_norm clip_grad grad_clip max_grad_norm "
        "gradient_clip gradient_clip_val global_clipnorm": "clip_gradient_norm",
        "ema ema_decay model_ema use_ema averaging": "ema_momentum",
        "amp fp16 half mixed_precision precision dtype": "dtype_policy "
        "export_precision precisions mixed_float16 float16",
        "bf16": "dtype_policy mixed_bfloat16 bfloat16",
        "accumulate accumulation_steps accumulate_grad_batches "
        "grad_accum_steps": "gradient_accumulation_steps",
        "smoothing": "label_smoothing",
        "mixup": "mixup_alpha",
        "pos_weight class_weight": "positive_weight",
        "distill distillation kd": "teacher",
        "temperature": "teacher_temperature",
        "alpha": "teacher_weight mixup_alpha",
        "prune pruning sparsity": "pruning_density",
        "pretrained warm_start finetune fine_tune from_pretrained weights_path "
        "initial_weights model_name_or_path": "init_from train_dir",
        "random_seed random_state rng": "seed",
        "early_stop": "early_stopping",
        "save_steps save_freq save_interval checkpoint_every": (
            "checkpoint_steps"
        ),
        "save_total_limit max_to_keep": "keep_checkpoints",
        "save_best_only save_best load_best_model_at_end": "keep_best",
        "logging_steps log_interval log_every log_every_n_steps log_freq "
        "print_freq": "log_steps",
        "eval_every val_interval eval_interval validation_steps "
        "val_check_interval": "eval_steps eval_interval_secs",
        "restart reset fresh from_scratch": "start_new_model overwrite",
        "xla jit compile": "jit_compile",
        "gpu gpus ngpu n_gpu num_gpus devices": "num_gpu strategy",
        "distributed ddp tpu": "strategy",
        "sweep grid": "study",
        "profiler": "profile",
        # Data.
        "data_dir data_path dataset datasets train train_data train_dataset "
        "train_file train_files train_path training_data input inputs i "
        "input_file input_files input_path data_pattern": "train_data_pattern "
        "input_data_pattern eval_data_pattern",
        "val val_data val_dir val_path val_files val_data_pattern "
        "validation_data validation_dir validation_file valid_data eval_data "
        "test_data eval_dataset": "eval_data_pattern input_data_pattern",
        "features": "feature_names",
        "input_size input_dim feature_size feature_dim": "feature_sizes",
        "frame_level frames": "frame_features",
        "classes nclasses n_classes num_labels n_labels num_outputs": (
            "num_classes"
        ),
        "frames_per_video num_frames seq_len max_length max_seq_length": (
            "max_frames iterations"
        ),
        "buffer_size shuffle": "shuffle_buffer",
        "j workers num_workers nproc n_jobs jobs threads num_threads "
        "processes": "num_readers num_processes num_connections",
        "ignore_errors skip_errors": "on_data_error",
        "labels label_file": "labels_file",
        "vocab vocab_file vocabulary class_names": "vocabulary_file",
        "shards": "num_shards",
        # The model.
        "arch architecture net network backbone model_name model_type "
        "model_class": "model",
        "structure projection compact circulant": "classifier_projection "
        "structures",
        "hidden hidden_size hidden_dim hidden_units units": "dbof_hidden_size "
        "mlp_hidden_size",
        "clusters num_clusters cluster_size": "dbof_cluster_size",
        "mixtures num_mixtures experts num_experts": "moe_num_mixtures",
        "dropout dropout_rate p": "drop_rate input_drop_rate",
        "gates keep_units prune_units vib bottleneck": "unit_penalty",
        # Where things are.
        "logdir log_dir model_dir job_dir run_dir save_dir save_path work_dir "
        "workdir checkpoint_dir ckpt_dir checkpoint_path resume "
        "resume_from_checkpoint run exp_dir": "train_dir output_dir",
        "checkpoint ckpt step global_step": "checkpoint_step train_dir",
        "model_path saved_model tflite onnx": "model_file",
        "o out output outdir out_dir output_path save dest destination": (
            "output_dir output_file export_dir output_json"
        ),
        "output_dir": "export_dir output_file train_dir",
        "output_file": "output_json output_dir",
        "export_path": "export_dir",
        "json report": "output_json",
        "plot": "output_plot",
        "k topk num_predictions": "top_k",
        "force f exist_ok replace": "overwrite",
        "verbose debug log_level loglevel": "verbosity",
        "only_count count_parameters num_params summary params": (
            "parameters_only"
        ),
        "license": "licence",
        "beam_runner pipeline_runner": "runner",
        "beam_options pipeline_options beam_pipeline_args temp_location "
        "direct_num_workers direct_running_mode staging_location "
        "sdk_container_image": "runner_options",
        "size target_size max_size": "budget",
        "quantize quantization bits": "export_precision precisions",
        "dryrun": "dry_run",
        # Values.
        "bce bceloss bcewithlogits bcewithlogitsloss binary_crossentropy "
        "binarycrossentropy sigmoid": "CrossEntropyLoss",
        "crossentropy ce categorical_crossentropy": "SoftmaxLoss",
        "float16 torch_float16": "mixed_float16 float16",
        "bfloat16": "mixed_bfloat16 bfloat16",
        "none_ linear off": "constant none",
        "mirroredstrategy data_parallel": "mirrored",
        "bow bag_of_frames deep_bag_of_frames": "DbofModel",
        "linear_model logreg logisticregression": "LogisticModel",
        "mixture_of_experts": "MoeModel",
        "tf_lite": "litert",
        "savedmodel tensorflow tf": "saved_model",
    }.items()
    for word in words.split()
} | {"tflite": ("litert", "model_file"), "onnx": ("onnx", "model_file")}

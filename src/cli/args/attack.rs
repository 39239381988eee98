//! What was typed of `attack`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{DistanceArg, MemoryArgs};

/// `counterpatch attack`
#[derive(Debug, Args)]
pub(in crate::cli) struct Attack {
    /// The classifier (ONNX), possibly gzipped: its largest output is its decision
    #[arg(value_name = "NETWORK")]
    pub(in crate::cli) network: PathBuf,
    /// The images: a folder of PNG and JPEG files, perhaps in one sub-folder a class; .npy or .npz; MNIST's IDX; or
    /// CIFAR-10's binary format. Files may be gzipped
    #[arg(long, value_name = "FOLDER|FILE")]
    pub(in crate::cli) images: PathBuf,
    /// Their classes, where the images do not come with them: a table `INDEX,LABEL` or `FILE,LABEL`, .npy, .npz or IDX
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) labels: Option<PathBuf>,
    /// Methods, separated by commas; `all` is every method that can be used here. `counterpatch supports
    /// --attack-methods` lists them
    #[arg(long = "method", value_name = "NAME,NAME", value_delimiter = ',', default_value = "all")]
    pub(in crate::cli) methods: Vec<String>,
    /// How far an image may change: `linf=X` for each value, `l2=X` for the Euclidean length, in pixels (values 0 to 1,
    /// before --mean, --std or --scale); X may be a quotient such as 8/255. A norm that is named several times, as in
    /// `linf=2/255,linf=8/255`, means a run for each, in a folder of its own, with an overview beside them [default:
    /// anywhere within the valid range]
    #[arg(long = "limit", value_name = "NORM=X", value_delimiter = ',')]
    pub(in crate::cli) limits: Vec<String>,
    /// How many pixels may change [default: all]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) pixels: Option<usize>,
    /// Which wrong classes are aimed at: `runner-up`, `all`, or a number of the strongest
    #[arg(long, value_name = "WHICH", default_value = "3")]
    pub(in crate::cli) targets: String,
    /// The only wrong class that counts, from 0; images of this class are left alone. A column `target` of --labels
    /// names one for each image
    #[arg(long, value_name = "CLASS", conflicts_with = "targets")]
    pub(in crate::cli) target_class: Option<usize>,
    /// By how much a wrong class has to lead over the label (a chosen one over every other), in units of the outputs.
    /// `picture`: by more than the rounding of another engine, and by enough that the 8-bit picture is adversarial too.
    /// 0 leaves results on the border of that rounding
    #[arg(long, value_name = "X|picture", default_value = "picture", allow_hyphen_values = true)]
    pub(in crate::cli) confidence: String,
    /// How the method `patch` understands the paper (Khan, Madhukar, Sharma): pairs KEY=VALUE, separated by commas. phases:
    /// free (exact), held, monotone, approximated (bounds of a class), approximated-box, tangent (linearised, and read again
    /// from the patched network; what free comes to with smooth activations). order: direct (the first layer at once; of a
    /// convolutional network the first behind the convolutions), middle-first (Algorithm 1), last (the last layer, all in
    /// front of it linearised). targets: exact, rectified, marked, elastic. shots: once, iterated. objective: sum, largest,
    /// fewest. marks: off, paths, gradient. inputs: sum, largest, fewest. alpha, margin: numbers. proof: a number of programs.
    /// The word `printed` stands for the paper's letter [default: phases=free, order=direct, targets=elastic,
    /// shots=iterated, objective=sum, alpha=inf, marks=off, inputs=sum, margin=1e-4, proof=0]
    #[arg(long, value_name = "KEY=VALUE,...")]
    pub(in crate::cli) reading: Option<String>,
    /// What the method `nearest` makes small: it looks for the closest image that fools the network, of any wrong class,
    /// and proves how close one can be
    #[arg(long, value_enum, default_value_t = DistanceArg::Linf)]
    pub(in crate::cli) norm: DistanceArg,
    /// How the network reads a flat row of several channels [default: as the shape of its input says]
    #[arg(long, value_enum, value_name = "ORDER")]
    pub(in crate::cli) layout: Option<ChannelOrderArg>,
    /// Subtracted from values (0 to 1) before the network reads them: one number, or one a channel
    #[arg(long, value_name = "X,X", value_delimiter = ',', allow_hyphen_values = true)]
    pub(in crate::cli) mean: Vec<f32>,
    /// Then divides them
    #[arg(long = "std", value_name = "X,X", value_delimiter = ',')]
    pub(in crate::cli) deviation: Vec<f32>,
    /// Multiplies values (0 to 1) before the network reads them, 255 for a network that reads bytes
    #[arg(long, value_name = "X", conflicts_with_all = ["mean", "deviation"])]
    pub(in crate::cli) scale: Option<f32>,
    /// Results are multiples of 1/255, as pictures hold them: greedy-pixel, patch and patch-strong search there, results of
    /// the other methods are rounded before they are confirmed
    #[arg(long)]
    pub(in crate::cli) round: bool,
    /// Another classifier of the same images, for methods that compare several; may be repeated
    #[arg(long = "companion", value_name = "FILE")]
    pub(in crate::cli) companions: Vec<PathBuf>,
    /// Another classifier: say how many of the results fool it too; may be repeated
    #[arg(long = "transfer", value_name = "FILE")]
    pub(in crate::cli) transfers: Vec<PathBuf>,
    /// The network whose features give the Fréchet distance, and the node or the output whose values they are [default: the
    /// penultimate layer of FILE; without the option that of the classifier]. It may read any size: images are resized
    /// bilinearly, and grey is repeated in three channels (three become one by 0.299, 0.587, 0.114). For FID give an Inception
    /// network and its pooled 2048 values
    #[arg(long, value_name = "FILE[:NODE]")]
    pub(in crate::cli) features: Option<String>,
    /// Subtracted from values (0 to 1) before the network of --features reads them: one number, or one a channel of that
    /// network. Inception networks of pytorch-fid read -1 to 1: mean 0.5, std 0.5 [default: 0, whatever --mean is]
    #[arg(
        long,
        value_name = "X,X",
        value_delimiter = ',',
        allow_hyphen_values = true,
        requires = "features"
    )]
    pub(in crate::cli) features_mean: Vec<f32>,
    /// Then divides them [default: 1]
    #[arg(long = "features-std", value_name = "X,X", value_delimiter = ',', requires = "features")]
    pub(in crate::cli) features_deviation: Vec<f32>,
    /// Attack the first N correctly classified images of each class, as the paper does with 30 and 50 [default: all]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) protocol: Option<usize>,
    #[command(flatten)]
    pub(in crate::cli) memory: MemoryArgs,
    /// Seed of all randomness
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(in crate::cli) seed: u64,
    /// Images at a time, 1 to 256. The results do not depend on it, unless --budget ends an attack [default: as many
    /// as this process may use]
    #[arg(short = 'j', long, value_name = "N")]
    pub(in crate::cli) threads: Option<usize>,
    /// Seconds of one method on one image
    #[arg(long, value_name = "SECONDS", default_value = "10", allow_hyphen_values = true)]
    pub(in crate::cli) budget: String,
    /// The folder for report.html, results.json, results.csv, pictures, and the journal with which an interrupted run
    /// goes on; of several limits for an overview, and a folder each
    #[arg(short = 'o', long, value_name = "FOLDER")]
    pub(in crate::cli) output: PathBuf,
    /// Images in report.html, each under all methods; all pictures are in the folder
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(in crate::cli) gallery: usize,
    /// Write one JSON object instead of text
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Show no progress
    #[arg(short = 'q', long)]
    pub(in crate::cli) quiet: bool,
}

/// Where the channels of an image are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ChannelOrderArg {
    /// All values of a channel together
    Nchw,
    /// The channels of a pixel side by side
    Nhwc,
}

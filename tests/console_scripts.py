"""The console scripts, and the modules that they run."""

from yt8m_compact.eval import evaluate
from yt8m_compact.programs import demo
from yt8m_compact.programs import export
from yt8m_compact.programs import predict
from yt8m_compact.programs import train
from yt8m_compact.programs.data import main as data

PROGRAMS = {
    "yt8m-train": train,
    "yt8m-eval": evaluate,
    "yt8m-export": export,
    "yt8m-predict": predict,
    "yt8m-data": data,
    "yt8m-demo": demo,
}

from gpt2forge.api import Built as Built
from gpt2forge.api import build as build
from gpt2forge.api import load as load
from gpt2forge.errors import UserError as UserError
from gpt2forge.runtime.completion import Completion as Completion
from gpt2forge.runtime.generation import Generation as Generation
from gpt2forge.runtime.model import Model as Model
from gpt2forge.runtime.score import Score as Score

__version__: str
